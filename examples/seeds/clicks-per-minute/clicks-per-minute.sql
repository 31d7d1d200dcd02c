-- Events of each minute, counted by event time: a tumbling window of 60 seconds.
--
-- The table is declared as a Kafka topic of JSON messages would be; here the same messages lie in
-- a file. For a real topic replace the WITH clause:
--
--   'connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'localhost:9092',
--   'scan.startup.mode' = 'earliest-offset', 'format' = 'json'

CREATE TABLE events (
  event_id BIGINT,
  user_id STRING,
  event_type STRING,
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '20' SECOND
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/seeds/clicks-per-minute/input',
  'format' = 'json'
);

SELECT window_start, window_end, COUNT(*) AS events, COUNT(DISTINCT user_id) AS users
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '60' SECOND))
GROUP BY window_start, window_end;
