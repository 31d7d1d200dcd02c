-- What did we sell? By minute, by hour, and by business date; money of different currencies is
-- never added. All of it is corrected when a line comes late.
--
-- net_sales     all lines with their signs: sales less returns, fees included
-- basket_value  gmv an order; NULL where there is no order
-- return_rate   percent of gmv. A return counts when it comes back, not when it was sold, so that
--               a bad day can pass 100.

CREATE MATERIALIZED VIEW sales_by_store_minute AS
SELECT sale_minute, store_id, channel, currency,
  SUM(gmv) AS gmv, SUM(net_sales) AS net_sales, SUM(orders) AS orders, SUM(units) AS units,
  SUM(returned) AS returned
FROM sales_receipt
GROUP BY sale_minute, store_id, channel, currency;

-- Hours of the clock: what the comparisons and the alert below are made of.
CREATE MATERIALIZED VIEW sales_by_store_hour AS
SELECT FLOOR(sale_minute TO HOUR) AS sale_hour, store_id, currency,
  SUM(gmv) AS gmv, SUM(net_sales) AS net_sales, SUM(orders) AS orders, SUM(units) AS units,
  SUM(returned) AS returned
FROM sales_receipt
GROUP BY FLOOR(sale_minute TO HOUR), store_id, currency;

CREATE MATERIALIZED VIEW sales_by_store_day AS
SELECT business_date, store_id, channel, currency,
  gmv, net_sales, orders, units, returned, fees,
  CAST(gmv / NULLIF(orders, 0) AS DECIMAL(18, 2)) AS basket_value,
  CAST(units / NULLIF(orders, 0) AS DECIMAL(18, 2)) AS units_per_order,
  CAST(100 * returned / NULLIF(gmv, 0) AS DECIMAL(18, 2)) AS return_rate
FROM (
  SELECT business_date, store_id, channel, currency,
    SUM(gmv) AS gmv, SUM(net_sales) AS net_sales, SUM(orders) AS orders, SUM(units) AS units,
    SUM(returned) AS returned, SUM(fees) AS fees
  FROM sales_receipt
  GROUP BY business_date, store_id, channel, currency);

-- An order with goods of two categories is an order of both: the column does not add up to the
-- day's orders. Fees have no category and are not here.
CREATE MATERIALIZED VIEW sales_by_category_day AS
SELECT business_date, category_id, currency,
  SUM(gmv) AS gmv,
  COUNT(DISTINCT CASE WHEN units > 0 THEN transaction_id END) AS orders,
  SUM(units) AS units,
  SUM(returned) AS returned,
  SUM(units_returned) AS units_returned
FROM (
  SELECT business_date, category_id, currency, transaction_id,
    SUM(gmv) AS gmv, SUM(units) AS units, SUM(returned) AS returned,
    SUM(units_returned) AS units_returned
  FROM sales_line
  WHERE sku IS NOT NULL
  GROUP BY business_date, category_id, currency, transaction_id)
GROUP BY business_date, category_id, currency;
