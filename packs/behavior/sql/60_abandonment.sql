-- Carts that were left, and whom to remind.

-- A timer in event time: all that a customer does with carts, and all that is bought, makes a
-- session window. A purchase resets it as every step does; when nothing came for
-- BEHAVIOR_ABANDON_MINUTES the window closes, and what counts is whether something lay in the cart
-- that was not bought: added behind the last purchase, and not all taken out again.
CREATE VIEW behavior_cart_step AS
SELECT event_time, customer_id, step, quantity, amount
FROM behavior_step
WHERE customer_id IS NOT NULL AND step IN ('cart', 'uncart', 'cart_viewed', 'checkout', 'purchase');

CREATE VIEW behavior_left_cart AS
SELECT customer_id, abandoned_at, last_step_at, carts, purchases,
  -- After a purchase within the window it is not known which of the goods were bought.
  CASE WHEN purchases = 0 THEN cart_value END AS cart_value,
  timer_at
FROM (
  SELECT customer_id, window_end AS abandoned_at, window_time AS timer_at,
    CAST(MAX(event_time) AS TIMESTAMP(3)) AS last_step_at,
    COUNT(*) FILTER (WHERE step = 'cart') AS carts,
    COUNT(*) FILTER (WHERE step = 'purchase') AS purchases,
    MAX(event_time) FILTER (WHERE step = 'cart') AS last_cart,
    MAX(event_time) FILTER (WHERE step = 'purchase') AS last_purchase,
    SUM(CASE step WHEN 'cart' THEN quantity WHEN 'uncart' THEN -quantity ELSE 0 END) AS pieces,
    SUM(CASE step WHEN 'cart' THEN amount WHEN 'uncart' THEN -amount ELSE 0 END) AS cart_value
  FROM TABLE(SESSION(
    TABLE behavior_cart_step PARTITION BY customer_id, DESCRIPTOR(event_time),
    INTERVAL '${BEHAVIOR_ABANDON_MINUTES:-60}' MINUTE))
  GROUP BY window_start, window_end, window_time, customer_id)
WHERE last_cart IS NOT NULL
  AND ((last_purchase IS NULL AND pieces > 0) OR last_cart > last_purchase);

-- Those whose timer has run out.
CREATE MATERIALIZED VIEW behavior_abandoned_cart AS
SELECT a.* FROM behavior_left_cart AS a
JOIN behavior_clock AS c
ON CAST(a.abandoned_at AS DATE) = c.today AND a.abandoned_at <= c.now_minute
UNION ALL
SELECT a.* FROM behavior_left_cart AS a
JOIN behavior_today AS d ON CAST(a.abandoned_at AS DATE) < d.today;

-- At most one reminder a customer and day: the first timer of the day.
CREATE VIEW behavior_reminder AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY customer_id, CAST(abandoned_at AS DATE) ORDER BY timer_at) AS nth
  FROM behavior_abandoned_cart
  WHERE (cart_value IS NULL OR cart_value >= ${BEHAVIOR_REMIND_FROM_VALUE:-0}))
WHERE nth = 1;

-- What a customer allowed when the timer ran out: the last word that was given or taken back, else
-- the customer's record. What is said later changes nothing about it.
CREATE VIEW behavior_consent_given AS
SELECT customer_id, timer_at, op = 'consent_granted' AS consent FROM (
  SELECT r.customer_id, r.timer_at, i.op, ROW_NUMBER() OVER (
    PARTITION BY r.customer_id, r.timer_at ORDER BY i.event_time DESC) AS nth
  FROM behavior_reminder AS r
  JOIN identity_event AS i
  ON r.customer_id = i.customer_id AND i.event_time <= r.timer_at
  WHERE i.op IN ('consent_granted', 'consent_withdrawn') AND i.purpose = 'marketing')
WHERE nth = 1;

CREATE VIEW behavior_customer_then AS
SELECT customer_id, timer_at, marketing_consent FROM (
  SELECT r.customer_id, r.timer_at, c.marketing_consent, ROW_NUMBER() OVER (
    PARTITION BY r.customer_id, r.timer_at ORDER BY c.updated_at DESC) AS nth
  FROM behavior_reminder AS r
  JOIN customer AS c
  ON r.customer_id = c.customer_id AND c.updated_at <= r.timer_at)
WHERE nth = 1;

-- Rows that may be applied are `proposed`. Those of customers who did not agree to marketing, or of
-- whom nothing is known, and those of the hold-out are `rejected`, and say why.
CREATE MATERIALIZED VIEW behavior_decision AS
SELECT
  'contact/cart/' || customer_id || '/' || CAST(CAST(abandoned_at AS DATE) AS STRING)
    AS decision_id,
  timer_at AS decided_at,
  'contact' AS decision_type,
  'customer' AS subject_type,
  customer_id AS subject_id,
  CAST(NULL AS STRING) AS sku,
  CAST(NULL AS STRING) AS location_id,
  customer_id,
  CAST(NULL AS STRING) AS campaign_id,
  CAST(NULL AS DECIMAL(18, 4)) AS quantity,
  CAST(NULL AS DECIMAL(18, 4)) AS amount,
  CAST(NULL AS STRING) AS currency,
  JSON_OBJECT(KEY 'template' VALUE 'abandoned_cart', KEY 'customer_id' VALUE customer_id,
    KEY 'abandoned_at' VALUE CAST(abandoned_at AS STRING)) AS action,
  'cart_reminder' AS policy,
  '1' AS policy_version,
  CAST(NULL AS STRING) AS model_version,
  TIMESTAMPDIFF(SECOND, last_step_at, abandoned_at) * CAST(1000 AS BIGINT) AS data_age_ms,
  JSON_ARRAY(
    'articles were put into the cart ' || CAST(carts AS STRING) || ' times, and nothing more'
      || ' happened for ${BEHAVIOR_ABANDON_MINUTES:-60} minutes',
    CASE WHEN cart_value IS NOT NULL
      THEN 'what lies in the cart is worth ' || CAST(CAST(cart_value AS DECIMAL(18, 2)) AS STRING)
    END,
    CASE
      WHEN consent THEN 'the customer agreed to marketing'
      WHEN NOT consent THEN 'refused: the customer does not want marketing'
      ELSE 'refused: it is not known whether the customer agrees to marketing'
    END,
    CASE WHEN held_out THEN 'held out: not contacted, to see what a reminder brings' END
  ) AS reasons,
  'cart_reminder' AS experiment,
  CASE WHEN held_out THEN 'holdout' ELSE 'reminder' END AS variant,
  CASE WHEN held_out THEN CAST(${BEHAVIOR_HOLDOUT_PERCENT:-10} AS DOUBLE) / 100
    ELSE 1 - CAST(${BEHAVIOR_HOLDOUT_PERCENT:-10} AS DOUBLE) / 100 END AS propensity,
  CASE WHEN consent AND NOT held_out THEN 'proposed' ELSE 'rejected' END AS status,
  'pack behavior' AS actor,
  CAST(NULL AS STRING) AS ext
FROM (
  SELECT r.*, COALESCE(g.consent, c.marketing_consent) AS consent,
    -- The same customer is always on the same side: 24 bits of a hash, in hundredths.
    MOD(CAST(CONV(SUBSTRING(MD5('cart_reminder:' || r.customer_id), 1, 6), 16, 10) AS INT), 100)
      < ${BEHAVIOR_HOLDOUT_PERCENT:-10} AS held_out
  FROM behavior_reminder AS r
  LEFT JOIN behavior_consent_given AS g
  ON r.customer_id = g.customer_id AND r.timer_at = g.timer_at
  LEFT JOIN behavior_customer_then AS c
  ON r.customer_id = c.customer_id AND r.timer_at = c.timer_at);
