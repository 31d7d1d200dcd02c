-- What do the campaigns bring? Sessions of each campaign and day, the carts and orders in them.
--
-- Nothing here waits for a watermark: a session counts from its first event on, and duplicated
-- events change neither a minimum nor a count of distinct ids. A session belongs to the day on
-- which it began, its orders too; orders without a session (tills) are not of a campaign.

CREATE VIEW behavior_visit AS
SELECT session_id,
  CAST(CAST(MIN(event_time) AS TIMESTAMP(3)) AS DATE) AS visit_day,
  COALESCE(MIN(campaign_id), 'none') AS campaign_id,
  MAX(COALESCE(customer_id, anonymous_id)) AS visitor,
  COUNT(DISTINCT CASE WHEN action = 'product_viewed' THEN event_id END) AS views,
  COUNT(DISTINCT CASE WHEN action = 'cart_added' THEN event_id END) AS carts
FROM behavior_event
WHERE session_id IS NOT NULL
GROUP BY session_id;

-- Of a line that comes twice the last word counts.
CREATE VIEW behavior_visit_sales AS
SELECT session_id, COUNT(DISTINCT transaction_id) AS orders, SUM(line_total) AS revenue
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY transaction_id, line_no ORDER BY event_time DESC) AS nth
  FROM sale_line)
WHERE nth = 1 AND session_id IS NOT NULL AND txn_type IN ('sale', 'void')
  AND line_type IN ('item', 'gift', 'discount')
GROUP BY session_id;

CREATE MATERIALIZED VIEW behavior_marketing_report AS
SELECT visit_day, campaign_id, sessions, visitors, views, sessions_with_cart, sessions_with_order,
  orders, revenue,
  CAST(100 * sessions_with_order / CAST(sessions AS DECIMAL(18, 4)) AS DECIMAL(18, 2))
    AS conversion_percent,
  CAST(revenue / sessions AS DECIMAL(18, 2)) AS revenue_per_session
FROM (
  SELECT v.visit_day, v.campaign_id,
    COUNT(*) AS sessions,
    COUNT(DISTINCT v.visitor) AS visitors,
    SUM(v.views) AS views,
    COUNT(*) FILTER (WHERE v.carts > 0) AS sessions_with_cart,
    COUNT(s.orders) AS sessions_with_order,
    COALESCE(SUM(s.orders), 0) AS orders,
    COALESCE(SUM(s.revenue), 0) AS revenue
  FROM behavior_visit AS v
  LEFT JOIN behavior_visit_sales AS s ON v.session_id = s.session_id
  GROUP BY v.visit_day, v.campaign_id);
