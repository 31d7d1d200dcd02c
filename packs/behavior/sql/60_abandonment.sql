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

-- How old the newest sale was, of anybody, when the timer ran out: a till or a shop whose sales do
-- not come any more must not make carts look abandoned. To the hour; two days back at most.
CREATE VIEW behavior_sale_hour AS
SELECT `hour`, CAST(`hour` AS DATE) AS `day`, MAX(sold_at) AS newest
FROM (
  SELECT FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS `hour`,
    CAST(event_time AS TIMESTAMP(3)) AS sold_at
  FROM sale_line)
GROUP BY `hour`;

CREATE VIEW behavior_sales_age AS
SELECT r.customer_id, r.timer_at,
  MIN(GREATEST(TIMESTAMPDIFF(SECOND, s.newest, r.abandoned_at), 0)) AS age_seconds
FROM behavior_reminder AS r
JOIN (
  SELECT `day` AS known_on, `hour`, newest FROM behavior_sale_hour
  UNION ALL
  SELECT TIMESTAMPADD(DAY, 1, `day`) AS known_on, `hour`, newest FROM behavior_sale_hour) AS s
ON CAST(r.abandoned_at AS DATE) = s.known_on AND s.`hour` <= r.abandoned_at
GROUP BY r.customer_id, r.timer_at;

-- Rows that may be applied are `proposed`. Those of customers who did not agree to marketing, or of
-- whom nothing is known, those made while no sales came in, and those of the hold-out are
-- `rejected`, and say why.
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
  age_seconds * CAST(1000 AS BIGINT) AS data_age_ms,
  JSON_OBJECT(KEY 'carts' VALUE carts, KEY 'purchases' VALUE purchases,
    KEY 'cart_value' VALUE CAST(cart_value AS STRING),
    KEY 'last_step_at' VALUE CAST(last_step_at AS STRING) ABSENT ON NULL) AS inputs,
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
    CASE WHEN stale THEN 'refused: no sale at all was known for ' || CAST(age_seconds / 3600 AS STRING)
      || ' hours, so that the cart may have been bought' END,
    CASE WHEN held_out THEN 'held out: not contacted, to see what a reminder brings' END
  ) AS reasons,
  'cart_reminder' AS experiment,
  CASE WHEN held_out THEN 'hold_out' ELSE 'policy' END AS variant,
  CASE WHEN held_out THEN CAST(${BEHAVIOR_HOLD_OUT:-10} AS DOUBLE) / 100
    ELSE 1 - CAST(${BEHAVIOR_HOLD_OUT:-10} AS DOUBLE) / 100 END AS propensity,
  CASE WHEN consent AND NOT stale AND NOT held_out THEN 'proposed' ELSE 'rejected' END AS status,
  'pack behavior' AS actor,
  CAST(NULL AS STRING) AS ext
FROM (
  SELECT r.*, COALESCE(g.consent, c.marketing_consent) AS consent,
    -- The same customer is always on the same side.
    MOD(CAST(CONV(SUBSTRING(MD5('cart_reminder' || '/' || r.customer_id), 1, 7), 16, 10)
      AS BIGINT), 100) < ${BEHAVIOR_HOLD_OUT:-10} AS held_out,
    COALESCE(a.age_seconds, 2 * 86400) AS age_seconds,
    COALESCE(a.age_seconds, 2 * 86400) > ${BEHAVIOR_STALE_HOURS:-24} * 3600 AS stale
  FROM behavior_reminder AS r
  LEFT JOIN behavior_consent_given AS g
  ON r.customer_id = g.customer_id AND r.timer_at = g.timer_at
  LEFT JOIN behavior_customer_then AS c
  ON r.customer_id = c.customer_id AND r.timer_at = c.timer_at
  LEFT JOIN behavior_sales_age AS a
  ON r.customer_id = a.customer_id AND r.timer_at = a.timer_at);
