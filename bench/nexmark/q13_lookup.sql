-- q13, in the suite's own form: the side input is looked up at the time at which a bid is read.
-- Flink's file source cannot be looked up; q13.sql says the same as a plain join.

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
FROM (SELECT *, PROCTIME() AS p_time FROM bid) AS b
JOIN side_input FOR SYSTEM_TIME AS OF b.p_time AS s ON MOD(b.auction, 10000) = s.`key`;
