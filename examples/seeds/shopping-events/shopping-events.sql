-- How often was each product looked at, put into the cart, and bought?

CREATE TABLE events (
  user_id STRING,
  event STRING,
  product STRING,
  event_time TIMESTAMP(3)
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/seeds/shopping-events/input',
  'format' = 'json'
);

SELECT product,
  COUNT(*) FILTER (WHERE event = 'browse') AS browsed,
  COUNT(*) FILTER (WHERE event = 'add_to_cart') AS added,
  COUNT(*) FILTER (WHERE event = 'purchase') AS bought,
  COUNT(DISTINCT user_id) AS users
FROM events
GROUP BY product;
