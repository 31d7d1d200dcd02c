-- A tracker may send an event twice; it counts once.
CREATE VIEW sale_once AS
SELECT event_time, business_date, channel, transaction_id, txn_type, line_type, sku, quantity, line_total
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time) AS nth FROM sale_line
) AS numbered
WHERE nth = 1;

-- What each channel sold, by day.
CREATE MATERIALIZED VIEW turnover AS
SELECT business_date, channel,
  COUNT(DISTINCT CASE WHEN txn_type = 'sale' THEN transaction_id END) AS receipts,
  SUM(quantity) AS pieces, SUM(line_total) AS amount
FROM sale_once
GROUP BY business_date, channel;

-- The ten articles with the highest turnover.
CREATE MATERIALIZED VIEW top_articles AS
SELECT t.place, t.sku, k.description, t.pieces, t.amount
FROM (
  SELECT sku, pieces, amount, ROW_NUMBER() OVER (ORDER BY amount DESC, sku) AS place
  FROM (
    SELECT sku, SUM(quantity) AS pieces, SUM(line_total) AS amount
    FROM sale_once WHERE line_type = 'item' GROUP BY sku
  ) AS totals
) AS t
JOIN sku AS k ON k.sku = t.sku
WHERE t.place <= 10;

-- A tagged piece that a gate reads twice is one piece; a count changes nothing.
CREATE VIEW movement_once AS
SELECT sku, location_id, quantity
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY CASE WHEN epc IS NULL THEN event_id ELSE epc || '/' || ref_id END
    ORDER BY event_time) AS nth
  FROM stock_movement
) AS numbered
WHERE nth = 1 AND action <> 'observe';

-- How many SKUs and pieces each location has, and how many shelves are empty.
CREATE MATERIALIZED VIEW stock AS
SELECT location_id, COUNT(*) AS skus, SUM(pieces) AS pieces,
  SUM(CASE WHEN pieces <= 0 THEN 1 ELSE 0 END) AS empty_shelves
FROM (
  SELECT sku, location_id, SUM(quantity) AS pieces FROM movement_once GROUP BY sku, location_id
) AS positions
GROUP BY location_id;

-- From a look to the checkout, by day.
CREATE MATERIALIZED VIEW funnel AS
SELECT window_start,
  COUNT(DISTINCT session_id) AS sessions,
  COUNT(DISTINCT CASE WHEN action = 'product_viewed' THEN session_id END) AS looked,
  COUNT(DISTINCT CASE WHEN action = 'cart_added' THEN session_id END) AS filled_a_cart,
  COUNT(DISTINCT CASE WHEN action = 'checkout_started' THEN session_id END) AS went_to_pay
FROM TABLE(TUMBLE(TABLE behavior_event, DESCRIPTOR(event_time), INTERVAL '1' DAY))
GROUP BY window_start, window_end;
