-- q6: average selling price by seller over the last ten closed auctions.
-- The suite's own form (OVER rows on an updating join) is refused by Flink; this one says
-- the same with Top-N: the winning bid of each auction, the ten auctions of a seller that
-- closed last, their average.

CREATE TABLE nexmark_q6 (
  seller BIGINT,
  avg_price BIGINT
) WITH (${SINK});

INSERT INTO nexmark_q6
SELECT seller, AVG(final) AS avg_price
FROM (
  SELECT seller, final,
    ROW_NUMBER() OVER (PARTITION BY seller ORDER BY expires DESC, id DESC) AS place
  FROM (
    SELECT a.id, a.seller, a.expires, MAX(b.price) AS final
    FROM auction AS a
    JOIN bid AS b ON a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
    GROUP BY a.id, a.seller, a.expires
  ) AS closed
) AS ranked
WHERE place <= 10
GROUP BY seller;
