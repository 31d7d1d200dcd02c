-- What each user did and bought in each hour; the hour that is not over is there too.
CREATE MATERIALIZED VIEW behavior_by_user_hour AS
SELECT window_start AS `hour`, user_id,
  COUNT(*) FILTER (WHERE step IN ('view', 'click')) AS clicks,
  COUNT(*) FILTER (WHERE step = 'search') AS searches,
  COUNT(*) FILTER (WHERE step = 'cart') AS carts,
  COUNT(DISTINCT transaction_id) AS purchases,
  COALESCE(SUM(amount) FILTER (WHERE step = 'purchase'), 0) AS revenue
FROM TABLE(TUMBLE(TABLE behavior_step, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
WHERE user_id IS NOT NULL
GROUP BY window_start, window_end, user_id;

-- Visits: what a session did from its first to its last step. A gap without any step ends a visit;
-- a visit that goes on is there as far as it has come.
CREATE MATERIALIZED VIEW behavior_session AS
SELECT visit_id, window_start AS started_at,
  TIMESTAMPDIFF(SECOND, window_start, CAST(MAX(event_time) AS TIMESTAMP(3))) AS seconds,
  COALESCE(MAX(customer_id), MAX(user_id)) AS user_id,
  COUNT(*) AS steps,
  COUNT(*) FILTER (WHERE step = 'view') AS views,
  COUNT(*) FILTER (WHERE step = 'cart') AS carts,
  COUNT(*) FILTER (WHERE step = 'checkout') AS checkouts,
  COUNT(DISTINCT transaction_id) AS purchases,
  COALESCE(SUM(amount) FILTER (WHERE step = 'purchase'), 0) AS revenue
FROM TABLE(SESSION(
  TABLE behavior_step PARTITION BY visit_id, DESCRIPTOR(event_time),
  INTERVAL '${BEHAVIOR_SESSION_MINUTES:-30}' MINUTE))
WHERE visit_id IS NOT NULL
GROUP BY window_start, window_end, visit_id;
