-- q13: bounded side input: a name for each bid's auction from a small file in ${SIDE}.
-- A plain join, since Flink's file source cannot be looked up.

CREATE TABLE side_input (
  `key` BIGINT,
  `value` STRING
) WITH ('connector' = 'filesystem', 'path' = '${SIDE}', 'format' = 'csv');

CREATE TABLE nexmark_q13 (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  `dateTime` TIMESTAMP(3),
  `value` STRING
) WITH (${SINK});

INSERT INTO nexmark_q13
SELECT b.auction, b.bidder, b.price, b.`dateTime`, s.`value`
FROM bid AS b
JOIN side_input AS s ON MOD(b.auction, 10000) = s.`key`;
