-- Clicks and purchases of each user and hour, side by side: what did the visits bring?

CREATE TABLE clicks (
  click_id BIGINT,
  user_id STRING,
  campaign STRING,
  click_time TIMESTAMP(3),
  WATERMARK FOR click_time AS click_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/seeds/marketing-report/input/clicks',
  'format' = 'json'
);

CREATE TABLE purchases (
  purchase_id BIGINT,
  user_id STRING,
  amount DECIMAL(10, 2),
  purchase_time TIMESTAMP(3),
  WATERMARK FOR purchase_time AS purchase_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/seeds/marketing-report/input/purchases',
  'format' = 'json'
);

CREATE VIEW hourly_clicks AS
SELECT window_start, window_end, user_id, COUNT(*) AS clicks,
  COUNT(DISTINCT campaign) AS campaigns
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(click_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, user_id;

CREATE VIEW hourly_purchases AS
SELECT window_start, window_end, user_id, COUNT(*) AS purchases, SUM(amount) AS revenue
FROM TABLE(TUMBLE(TABLE purchases, DESCRIPTOR(purchase_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, user_id;

SELECT c.window_start AS `hour`, c.user_id, c.clicks, c.campaigns,
  COALESCE(p.purchases, 0) AS purchases, COALESCE(p.revenue, 0) AS revenue
FROM hourly_clicks AS c
LEFT JOIN hourly_purchases AS p
ON c.user_id = p.user_id AND c.window_start = p.window_start AND c.window_end = p.window_end;
