-- What people do in the shop, and what they buy, as one stream of steps.

-- Each event once: the first one counts, so that its time stays an event time and windows can be
-- made of it. A row that comes behind the watermark is reported as late and counts nowhere.
CREATE VIEW behavior_event_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time) AS nth
  FROM behavior_event)
WHERE nth = 1;
SET 'rialto.share.behavior_event_once' = 'true';

CREATE VIEW behavior_sale_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY transaction_id, line_no ORDER BY event_time) AS nth
  FROM sale_line)
WHERE nth = 1;
SET 'rialto.share.behavior_sale_once' = 'true';

-- user_id   the customer where one is logged in, else the browser
-- visit_id  the session that the shop counts, which a login does not break; at a till the customer
-- amount    of what is bought, after discounts; a line that is taken back by the till counts less
CREATE VIEW behavior_step AS
SELECT
  event_time,
  customer_id,
  COALESCE(customer_id, anonymous_id) AS user_id,
  COALESCE(session_id, customer_id, anonymous_id) AS visit_id,
  CASE
    WHEN action = 'product_viewed' THEN 'view'
    WHEN action IN ('product_clicked', 'promo_clicked') THEN 'click'
    WHEN action = 'search' THEN 'search'
    WHEN action = 'cart_added' THEN 'cart'
    WHEN action = 'cart_removed' THEN 'uncart'
    WHEN action = 'cart_viewed' THEN 'cart_viewed'
    WHEN action IN ('checkout_started', 'checkout_step') THEN 'checkout'
    ELSE 'other'
  END AS step,
  product_id,
  category_id,
  COALESCE(quantity, 1) AS quantity,
  COALESCE(quantity, 1) * unit_price AS amount,
  CAST(NULL AS STRING) AS transaction_id
FROM behavior_event_once
UNION ALL
SELECT
  event_time,
  customer_id,
  customer_id AS user_id,
  COALESCE(session_id, customer_id) AS visit_id,
  'purchase' AS step,
  product_id,
  category_id,
  quantity,
  line_total AS amount,
  transaction_id
FROM behavior_sale_once
WHERE txn_type IN ('sale', 'void') AND line_type IN ('item', 'gift', 'discount');
SET 'rialto.share.behavior_step' = 'true';

-- What time is it? No clock is read: it is as late as the newest event says, less the ten seconds
-- by which events may be out of order. A view shows an open window as if the input ended now, so
-- that "nothing happened for an hour" must be asked for against this clock.
CREATE VIEW behavior_clock AS
SELECT MAX(`minute`) AS now_minute, CAST(MAX(`minute`) AS DATE) AS today
FROM (
  SELECT FLOOR((CAST(event_time AS TIMESTAMP(3)) - INTERVAL '10' SECOND) TO MINUTE) AS `minute`
  FROM behavior_event
  UNION ALL
  SELECT FLOOR((CAST(event_time AS TIMESTAMP(3)) - INTERVAL '10' SECOND) TO MINUTE) AS `minute`
  FROM sale_line);

-- Changes once a day. What was over yesterday is joined with this, so that only today's rows are
-- looked at when a minute passes.
CREATE VIEW behavior_today AS SELECT MAX(today) AS today FROM behavior_clock;
