-- The funnel view -> cart -> checkout -> purchase of each session, in this order: a step counts
-- where it is not before the one that leads to it. The earliest fitting moment of each step is
-- taken, which finds the furthest way there is. Late and duplicated events come out right.

CREATE VIEW behavior_funnel_event AS
SELECT session_id, event_time,
  CASE action WHEN 'product_viewed' THEN 1 WHEN 'cart_added' THEN 2 ELSE 3 END AS step_no
FROM behavior_event
WHERE session_id IS NOT NULL
  AND action IN ('product_viewed', 'cart_added', 'checkout_started', 'checkout_step')
UNION ALL
SELECT session_id, event_time, 4 AS step_no
FROM sale_line
WHERE session_id IS NOT NULL AND txn_type = 'sale' AND line_type = 'item';

CREATE VIEW behavior_viewed AS
SELECT session_id, MIN(event_time) AS viewed_at
FROM behavior_funnel_event WHERE step_no = 1 GROUP BY session_id;

CREATE VIEW behavior_carted AS
SELECT e.session_id, MIN(e.event_time) AS carted_at
FROM behavior_funnel_event AS e JOIN behavior_viewed AS b
ON e.session_id = b.session_id AND e.event_time >= b.viewed_at
WHERE e.step_no = 2 GROUP BY e.session_id;

CREATE VIEW behavior_checked_out AS
SELECT e.session_id, MIN(e.event_time) AS checked_out_at
FROM behavior_funnel_event AS e JOIN behavior_carted AS b
ON e.session_id = b.session_id AND e.event_time >= b.carted_at
WHERE e.step_no = 3 GROUP BY e.session_id;

CREATE VIEW behavior_bought AS
SELECT e.session_id, MIN(e.event_time) AS bought_at
FROM behavior_funnel_event AS e JOIN behavior_checked_out AS b
ON e.session_id = b.session_id AND e.event_time >= b.checked_out_at
WHERE e.step_no = 4 GROUP BY e.session_id;

CREATE VIEW behavior_funnel_session AS
SELECT v.session_id, v.viewed_at, c.carted_at, o.checked_out_at, b.bought_at,
  CASE
    WHEN b.bought_at IS NOT NULL THEN 4
    WHEN o.checked_out_at IS NOT NULL THEN 3
    WHEN c.carted_at IS NOT NULL THEN 2
    ELSE 1
  END AS reached
FROM behavior_viewed AS v
LEFT JOIN behavior_carted AS c ON v.session_id = c.session_id
LEFT JOIN behavior_checked_out AS o ON v.session_id = o.session_id
LEFT JOIN behavior_bought AS b ON v.session_id = b.session_id;

-- Of each day (on which the first product was viewed): the sessions that reached each step, in
-- percent of the step before, and of the first one.
CREATE MATERIALIZED VIEW behavior_funnel AS
SELECT f.funnel_day, s.step_no, s.step,
  COUNT(*) FILTER (WHERE f.reached >= s.step_no) AS sessions,
  CAST(100 * COUNT(*) FILTER (WHERE f.reached >= s.step_no) / NULLIF(CAST(
    COUNT(*) FILTER (WHERE f.reached >= s.step_no - 1) AS DECIMAL(18, 4)), 0)
    AS DECIMAL(18, 2)) AS step_conversion_percent,
  CAST(100 * COUNT(*) FILTER (WHERE f.reached >= s.step_no) / CAST(
    COUNT(*) AS DECIMAL(18, 4)) AS DECIMAL(18, 2)) AS total_conversion_percent
FROM (
  SELECT CAST(CAST(viewed_at AS TIMESTAMP(3)) AS DATE) AS funnel_day, reached
  FROM behavior_funnel_session) AS f
CROSS JOIN (VALUES (1, 'view'), (2, 'cart'), (3, 'checkout'), (4, 'purchase'))
  AS s (step_no, step)
GROUP BY f.funnel_day, s.step_no, s.step;

-- A session may make several visits with a gap between them: the last one counts.
CREATE VIEW behavior_left AS
SELECT v.visit_id, v.user_id, v.left_at, v.carts, v.cart_value, f.reached,
  v.left_at + INTERVAL '${BEHAVIOR_SESSION_MINUTES:-30}' MINUTE AS over_at
FROM (
  SELECT visit_id, CAST(MAX(event_time) AS TIMESTAMP(3)) AS left_at,
    COALESCE(MAX(customer_id), MAX(user_id)) AS user_id,
    COUNT(*) FILTER (WHERE step = 'cart') AS carts,
    COALESCE(SUM(CASE step WHEN 'cart' THEN amount WHEN 'uncart' THEN -amount END), 0)
      AS cart_value
  FROM behavior_step
  GROUP BY visit_id) AS v
JOIN behavior_funnel_session AS f ON v.visit_id = f.session_id
WHERE f.reached IN (2, 3);

-- Who left with something in hand? Visits that are over and got as far as the cart or the
-- checkout, but not to a purchase. A purchase that comes later in the same session strikes it out.
CREATE MATERIALIZED VIEW behavior_drop_off AS
SELECT visit_id AS session_id, user_id, left_at,
  CASE reached WHEN 2 THEN 'cart' ELSE 'checkout' END AS last_step,
  reached AS step_no, carts, cart_value
FROM (
  SELECT l.* FROM behavior_left AS l
  JOIN behavior_clock AS c
  ON CAST(l.over_at AS DATE) = c.today AND l.over_at <= c.now_minute
  UNION ALL
  SELECT l.* FROM behavior_left AS l
  JOIN behavior_today AS d ON CAST(l.over_at AS DATE) < d.today);
