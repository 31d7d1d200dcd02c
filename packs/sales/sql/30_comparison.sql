-- Are we better than yesterday, and do we reach the target?

-- The whole shop, a business date a row, beside the one before. `change_percent` is NULL where
-- nothing was sold the day before.
CREATE MATERIALIZED VIEW sales_by_day AS
WITH totals AS (
  SELECT business_date, currency,
    SUM(gmv) AS gmv, SUM(net_sales) AS net_sales, SUM(orders) AS orders, SUM(units) AS units,
    SUM(returned) AS returned
  FROM sales_receipt
  GROUP BY business_date, currency)
SELECT d.business_date, d.currency, d.gmv, d.net_sales, d.orders, d.units, d.returned,
  CAST(d.gmv / NULLIF(d.orders, 0) AS DECIMAL(18, 2)) AS basket_value,
  CAST(100 * d.returned / NULLIF(d.gmv, 0) AS DECIMAL(18, 2)) AS return_rate,
  y.gmv AS gmv_day_before,
  CAST(100 * (d.gmv - y.gmv) / NULLIF(y.gmv, 0) AS DECIMAL(18, 2)) AS change_percent
FROM totals AS d
LEFT JOIN totals AS y
ON d.business_date = y.business_date + INTERVAL '1' DAY AND d.currency = y.currency;

-- Each hour beside the same hour of the day before: a day that is not over is compared fairly.
-- `gmv_so_far` adds the hours of the day up to this one, on both days.
CREATE MATERIALIZED VIEW sales_by_hour AS
WITH hours AS (
  SELECT sale_hour, currency, SUM(gmv) AS gmv, SUM(orders) AS orders
  FROM sales_by_store_hour
  GROUP BY sale_hour, currency),
so_far AS (
  SELECT h.sale_hour, h.currency, SUM(e.gmv) AS gmv
  FROM hours AS h
  JOIN hours AS e
  ON CAST(h.sale_hour AS DATE) = CAST(e.sale_hour AS DATE) AND h.currency = e.currency
    AND e.sale_hour <= h.sale_hour
  GROUP BY h.sale_hour, h.currency),
so_far_before AS (
  -- Of yesterday all hours up to this one count, also where nothing was sold in this very hour.
  SELECT h.sale_hour, h.currency, SUM(e.gmv) AS gmv
  FROM hours AS h
  JOIN hours AS e
  ON CAST(h.sale_hour AS DATE) = CAST(e.sale_hour AS DATE) + INTERVAL '1' DAY
    AND h.currency = e.currency AND e.sale_hour + INTERVAL '1' DAY <= h.sale_hour
  GROUP BY h.sale_hour, h.currency)
SELECT h.sale_hour, h.currency, h.gmv, h.orders,
  y.gmv AS gmv_day_before,
  CAST(100 * (h.gmv - y.gmv) / NULLIF(y.gmv, 0) AS DECIMAL(18, 2)) AS change_percent,
  s.gmv AS gmv_so_far,
  b.gmv AS gmv_so_far_day_before,
  CAST(100 * (s.gmv - b.gmv) / NULLIF(b.gmv, 0) AS DECIMAL(18, 2)) AS change_so_far_percent
FROM hours AS h
JOIN so_far AS s ON h.sale_hour = s.sale_hour AND h.currency = s.currency
LEFT JOIN so_far_before AS b ON h.sale_hour = b.sale_hour AND h.currency = b.currency
LEFT JOIN hours AS y
ON h.sale_hour = y.sale_hour + INTERVAL '1' DAY AND h.currency = y.currency;

-- What each store should sell on a day. As it is, all have the same target; a shop with a table
-- of targets replaces this view by one with the same columns (docs/packs/sales.md).
CREATE VIEW sales_target AS
SELECT DISTINCT business_date, store_id, currency,
  CAST(${SALES_DAY_TARGET:-10000} AS DECIMAL(18, 4)) AS target
FROM sales_line;

-- How far is the day? `reached_percent` of the day's target. `expected_by_now` shares the target
-- out evenly from opening to closing; how late it is, is what the last sale of the day says.
CREATE MATERIALIZED VIEW sales_against_target AS
SELECT t.business_date, t.store_id, t.currency, t.target,
  COALESCE(s.net_sales, 0) AS net_sales,
  CAST(100 * COALESCE(s.net_sales, 0) / NULLIF(t.target, 0) AS DECIMAL(18, 2)) AS reached_percent,
  CAST(t.target * COALESCE(s.day_gone, 0) AS DECIMAL(18, 2)) AS expected_by_now,
  COALESCE(s.net_sales, 0) >= t.target * COALESCE(s.day_gone, 0) AS on_course
FROM sales_target AS t
LEFT JOIN (
  SELECT business_date, store_id, currency, SUM(net_sales) AS net_sales,
    -- A sale behind midnight of a business date that goes on belongs to a day that is over.
    CASE WHEN CAST(MAX(sale_minute) AS DATE) > business_date THEN 1.0000
      ELSE LEAST(1.0000, GREATEST(0.0000, CAST(
        (EXTRACT(HOUR FROM MAX(sale_minute)) * 60 + EXTRACT(MINUTE FROM MAX(sale_minute)) + 1
          - ${SALES_OPENS_AT_HOUR:-8} * 60) / CAST(60 *
          (${SALES_CLOSES_AT_HOUR:-22} - ${SALES_OPENS_AT_HOUR:-8}) AS DECIMAL(9, 4))
        AS DECIMAL(9, 4)))) END AS day_gone
  FROM sales_receipt
  GROUP BY business_date, store_id, currency) AS s
ON t.business_date = s.business_date AND t.store_id = s.store_id AND t.currency = s.currency;
