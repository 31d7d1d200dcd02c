-- What customers bought.

CREATE VIEW customers_line AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM sale_line)
WHERE nth = 1 AND customer_id IS NOT NULL;
SET 'rialto.share.customers_line' = 'true';

-- One row: the day up to which there are data. No view reads a clock: `today` is the last day on
-- which anything happened, so that a replay of old data gives what was true then.
CREATE MATERIALIZED VIEW customers_today AS
SELECT MAX(d) AS today, MAX(CASE WHEN feed = 'sales' THEN d END) AS sales_day
FROM (
  SELECT 'sales' AS feed, MAX(business_date) AS d FROM sale_line
  UNION ALL SELECT 'behavior', MAX(CAST(event_time AS DATE)) FROM behavior_event
  UNION ALL SELECT 'orders', MAX(CAST(event_time AS DATE)) FROM order_event) AS feeds;

-- Key: receipt. Voids and cancellations are taken off the receipt that they name;
-- one of which nothing is left is no purchase. Fees and shipping are not the customer's taste.
CREATE MATERIALIZED VIEW customer_order AS
SELECT o.receipt, COALESCE(m.remains, o.bought_as) AS customer_id, o.bought_as, o.order_at,
  o.order_day, EXTRACT(HOUR FROM CAST(o.order_at AS TIMESTAMP(3))) AS order_hour,
  o.channel, o.store_id, o.items, o.amount, o.list_amount, o.promoted, o.coupons, o.gifts
FROM (
  SELECT receipt, MAX(customer_id) AS bought_as, MIN(CAST(event_time AS TIMESTAMP_LTZ(3))) AS order_at,
    MIN(business_date) AS order_day, MIN(channel) AS channel, MIN(store_id) AS store_id,
    SUM(quantity) AS items, SUM(line_total) AS amount,
    SUM(quantity * COALESCE(list_price, unit_price)) AS list_amount,
    MAX(CASE WHEN promotion_id IS NULL THEN 0 ELSE 1 END) AS promoted,
    MAX(CASE WHEN coupon IS NULL THEN 0 ELSE 1 END) AS coupons,
    MAX(CASE WHEN line_type = 'gift' THEN 1 ELSE 0 END) AS gifts
  FROM (
    SELECT *, CASE WHEN txn_type <> 'sale' AND original_transaction_id IS NOT NULL
      THEN original_transaction_id ELSE transaction_id END AS receipt
    FROM customers_line
    WHERE txn_type IN ('sale', 'void', 'cancel') AND line_type IN ('item', 'gift', 'discount')
  ) AS bought
  GROUP BY receipt
  HAVING SUM(line_total) > 0) AS o
LEFT JOIN customer_merge AS m ON m.customer_id = o.bought_as;

-- Key: customer_id. All purchases of a customer. `age` is how old the newest of them is, in steps
-- (0, 30, 90, 180, 365, 730 days), so that a row changes when a tag can end and not every day.
CREATE MATERIALIZED VIEW customer_purchase AS
SELECT p.*, CASE WHEN p.orders > 1
    THEN CAST(TIMESTAMPDIFF(DAY, p.first_day, p.last_day) AS DECIMAL(9, 1)) / (p.orders - 1)
    END AS cycle_days,
  CASE WHEN d.days >= 730 THEN 730 WHEN d.days >= 365 THEN 365 WHEN d.days >= 180 THEN 180
    WHEN d.days >= 90 THEN 90 WHEN d.days >= 30 THEN 30 ELSE 0 END AS age
FROM (
  SELECT customer_id, COUNT(*) AS orders, MIN(order_at) AS first_at, MAX(order_at) AS last_at,
    MIN(order_day) AS first_day, MAX(order_day) AS last_day, SUM(items) AS items,
    SUM(amount) AS amount, SUM(list_amount) AS list_amount, MAX(amount) AS largest,
    SUM(promoted) AS promoted, SUM(coupons) AS coupons, SUM(gifts) AS gifts,
    COUNT(*) FILTER (WHERE channel = 'app') AS app_orders,
    COUNT(*) FILTER (WHERE channel = 'pos') AS store_orders,
    COUNT(DISTINCT channel) AS channels, COUNT(DISTINCT store_id) AS stores,
    COUNT(DISTINCT bought_as) AS ids,
    COUNT(*) FILTER (WHERE DAYOFWEEK(order_day) IN (1, 7)) AS weekend_orders,
    COUNT(*) FILTER (WHERE order_hour BETWEEN 6 AND 11) AS morning,
    COUNT(*) FILTER (WHERE order_hour BETWEEN 12 AND 17) AS afternoon,
    COUNT(*) FILTER (WHERE order_hour BETWEEN 18 AND 22) AS evening,
    COUNT(*) FILTER (WHERE order_hour >= 23 OR order_hour < 6) AS night
  FROM customer_order
  GROUP BY customer_id) AS p
JOIN (
  SELECT c.customer_id, TIMESTAMPDIFF(DAY, c.last_day, t.today) AS days
  FROM (SELECT customer_id, MAX(order_day) AS last_day FROM customer_order GROUP BY customer_id)
    AS c
  CROSS JOIN customers_today AS t) AS d ON d.customer_id = p.customer_id;

-- Key: customer_id. What came back, on the customer's ids together.
CREATE MATERIALIZED VIEW customer_return AS
SELECT COALESCE(m.remains, r.customer_id) AS customer_id, SUM(r.returns) AS returns,
  SUM(r.amount) AS amount, MAX(r.last_at) AS last_at
FROM (
  SELECT customer_id, COUNT(DISTINCT transaction_id) AS returns, SUM(-line_total) AS amount,
    MAX(event_time) AS last_at
  FROM customers_line WHERE txn_type = 'return' AND line_type IN ('item', 'gift')
  GROUP BY customer_id) AS r
LEFT JOIN customer_merge AS m ON m.customer_id = r.customer_id
GROUP BY COALESCE(m.remains, r.customer_id);

-- Key: (customer_id, sku). Articles by how often they were bought; what came back does not count.
CREATE MATERIALIZED VIEW customer_article AS
SELECT COALESCE(m.remains, s.customer_id) AS customer_id, s.sku,
  MAX(s.category_id) AS category_id, MAX(s.product_id) AS product_id, SUM(s.orders) AS orders,
  SUM(s.quantity) AS quantity, SUM(s.amount) AS amount, MAX(s.last_at) AS last_at
FROM (
  SELECT customer_id, sku, MAX(category_id) AS category_id, MAX(product_id) AS product_id,
    COUNT(DISTINCT transaction_id) AS orders, SUM(quantity) AS quantity,
    SUM(line_total) AS amount, MAX(event_time) AS last_at
  FROM customers_line WHERE txn_type = 'sale' AND line_type = 'item' AND sku IS NOT NULL
  GROUP BY customer_id, sku) AS s
LEFT JOIN customer_merge AS m ON m.customer_id = s.customer_id
GROUP BY COALESCE(m.remains, s.customer_id), s.sku;
