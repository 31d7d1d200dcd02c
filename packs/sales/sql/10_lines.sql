-- Sale lines, each once, in the words that all views of this pack use.

-- A line that comes again (the same transaction and number) takes the place of the one before: the
-- last word counts, however late it comes, and nothing waits for a watermark.
CREATE VIEW sales_line_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY transaction_id, line_no ORDER BY event_time DESC) AS nth
  FROM sale_line)
WHERE nth = 1;
SET 'rialto.share.sales_line_once' = 'true';

-- gmv          goods sold, after discounts, less what the till took back at once (voids)
-- returned     goods that came back, or whose order was cancelled; positive
-- fees         shipping and fees of sales, less those given back
-- units        pieces sold (less voids); kilos and metres are added as they are
-- A business day starts when the shop says so; hours and minutes are those of the shop's clock
-- (table.local-time-zone).
CREATE VIEW sales_line AS
SELECT
  transaction_id,
  line_no,
  event_time,
  FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS sale_minute,
  FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS sale_hour,
  business_date,
  COALESCE(store_id, 'unknown') AS store_id,
  COALESCE(channel, 'unknown') AS channel,
  currency,
  sku,
  COALESCE(category_id, 'unknown') AS category_id,
  description,
  line_total,
  CASE WHEN is_goods AND txn_type IN ('sale', 'void') THEN line_total ELSE 0 END AS gmv,
  CASE WHEN is_goods AND txn_type IN ('return', 'cancel') THEN -line_total ELSE 0 END AS returned,
  CASE WHEN is_goods THEN 0 ELSE line_total END AS fees,
  CASE WHEN line_type IN ('item', 'gift') AND txn_type IN ('sale', 'void')
    THEN quantity ELSE 0 END AS units,
  CASE WHEN line_type IN ('item', 'gift') AND txn_type IN ('return', 'cancel')
    THEN -quantity ELSE 0 END AS units_returned
FROM (SELECT *, line_type IN ('item', 'gift', 'discount') AS is_goods FROM sales_line_once);

-- A receipt or web order, as one row: an order is counted as long as pieces of it are left after
-- voids. A return is a transaction of its own, and no order. Its minute is that of its first line:
-- a long receipt is rung up over more than one, and is still one order.
CREATE VIEW sales_receipt AS
SELECT
  transaction_id,
  business_date,
  MIN(sale_minute) AS sale_minute,
  store_id,
  channel,
  currency,
  SUM(line_total) AS net_sales,
  SUM(gmv) AS gmv,
  SUM(returned) AS returned,
  SUM(fees) AS fees,
  SUM(units) AS units,
  SUM(units_returned) AS units_returned,
  CASE WHEN SUM(units) > 0 THEN 1 ELSE 0 END AS orders
FROM sales_line
GROUP BY transaction_id, business_date, store_id, channel, currency;
SET 'rialto.share.sales_receipt' = 'true';
