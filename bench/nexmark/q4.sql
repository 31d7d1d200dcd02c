-- q4: average closing price per category; an auction closes at its highest bid in time.

CREATE TABLE nexmark_q4 (
  category BIGINT,
  avg_price BIGINT
) WITH (${SINK});

INSERT INTO nexmark_q4
SELECT category, AVG(final) AS avg_price
FROM (
  SELECT MAX(b.price) AS final, a.category
  FROM auction AS a
  JOIN bid AS b ON a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  GROUP BY a.id, a.category
) AS closed
GROUP BY category;
