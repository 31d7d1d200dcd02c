-- RFM: how recently, how often and for how much a customer bought, as days, orders and money, and
-- as scores from 1 (worst) to 5 by fixed cut points. Cut points do not move when other customers
-- buy, so a score changes only for a reason that lies with the customer.

-- Key: customer_id.
CREATE MATERIALIZED VIEW customer_rfm AS
SELECT *,
  CASE
    WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'champion'
    WHEN r >= 3 AND f >= 4 THEN 'loyal'
    WHEN r >= 4 AND f = 1 THEN 'new'
    WHEN r >= 4 THEN 'promising'
    WHEN r <= 2 AND f >= 4 AND m >= 4 THEN 'cannot_lose'
    WHEN r <= 2 AND f >= 3 THEN 'at_risk'
    WHEN r <= 2 THEN 'hibernating'
    ELSE 'needs_attention'
  END AS rfm_segment
FROM (
  SELECT p.customer_id, TIMESTAMPDIFF(DAY, p.last_day, t.today) AS recency_days,
    p.orders AS frequency, p.amount AS monetary, p.last_at, p.cycle_days,
    CASE WHEN TIMESTAMPDIFF(DAY, p.last_day, t.today) <= ${CUSTOMERS_R5_DAYS:-30} THEN 5
      WHEN TIMESTAMPDIFF(DAY, p.last_day, t.today) <= ${CUSTOMERS_R4_DAYS:-60} THEN 4
      WHEN TIMESTAMPDIFF(DAY, p.last_day, t.today) <= ${CUSTOMERS_R3_DAYS:-90} THEN 3
      WHEN TIMESTAMPDIFF(DAY, p.last_day, t.today) <= ${CUSTOMERS_R2_DAYS:-180} THEN 2
      ELSE 1 END AS r,
    CASE WHEN p.orders >= ${CUSTOMERS_F5_ORDERS:-10} THEN 5
      WHEN p.orders >= ${CUSTOMERS_F4_ORDERS:-5} THEN 4
      WHEN p.orders >= ${CUSTOMERS_F3_ORDERS:-3} THEN 3
      WHEN p.orders >= ${CUSTOMERS_F2_ORDERS:-2} THEN 2 ELSE 1 END AS f,
    CASE WHEN p.amount >= ${CUSTOMERS_M5_AMOUNT:-2000} THEN 5
      WHEN p.amount >= ${CUSTOMERS_M4_AMOUNT:-800} THEN 4
      WHEN p.amount >= ${CUSTOMERS_M3_AMOUNT:-300} THEN 3
      WHEN p.amount >= ${CUSTOMERS_M2_AMOUNT:-100} THEN 2 ELSE 1 END AS m
  FROM customer_purchase AS p CROSS JOIN customers_today AS t) AS scored;

-- Key: customer_id. What only the passing of days changes, in steps: since when, and what of it
-- is recent. Tags read this instead of the days themselves, so that they change once in a while.
CREATE MATERIALIZED VIEW customer_clock AS
SELECT r.customer_id, r.r, r.f, r.m, r.rfm_segment, r.last_at,
  CASE WHEN r.recency_days > 365 THEN 365 WHEN r.recency_days > 180 THEN 180
    WHEN r.recency_days > 90 THEN 90 WHEN r.recency_days > 30 THEN 30 ELSE 0 END AS quiet_days,
  -- Half as long again as usual, and at least a week: the next purchase is overdue.
  r.recency_days > GREATEST(r.cycle_days * 1.5, 7) AS overdue,
  COALESCE(q.amount_90, 0) AS amount_90, COALESCE(q.before_90, 0) AS before_90
FROM customer_rfm AS r
LEFT JOIN (
  SELECT o.customer_id,
    SUM(CASE WHEN o.order_day > t.today - INTERVAL '90' DAY THEN o.amount ELSE 0 END) AS amount_90,
    SUM(CASE WHEN o.order_day > t.today - INTERVAL '90' DAY THEN 0 ELSE o.amount END) AS before_90
  FROM customer_order AS o CROSS JOIN customers_today AS t
  WHERE o.order_day > t.today - INTERVAL '180' DAY(3)
  GROUP BY o.customer_id) AS q ON q.customer_id = r.customer_id;
