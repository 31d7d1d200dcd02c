-- What sells best on a business date? Of two with the same turnover the one with more pieces comes
-- first, then the lower code, so that the list is the same every time.

CREATE MATERIALIZED VIEW sales_top_products AS
SELECT business_date, currency, place, sku, description, gmv, units
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY business_date, currency ORDER BY gmv DESC, units DESC, sku) AS place
  FROM (
    SELECT business_date, currency, sku, MAX(description) AS description,
      SUM(gmv) AS gmv, SUM(units) AS units
    FROM sales_line
    WHERE sku IS NOT NULL
    GROUP BY business_date, currency, sku)
  WHERE gmv > 0)
WHERE place <= ${SALES_TOP:-10};

CREATE MATERIALIZED VIEW sales_top_categories AS
SELECT business_date, currency, place, category_id, gmv, units, share_percent
FROM (
  SELECT c.*,
    CAST(100 * c.gmv / NULLIF(d.gmv, 0) AS DECIMAL(18, 2)) AS share_percent,
    ROW_NUMBER() OVER (
      PARTITION BY c.business_date, c.currency
      ORDER BY c.gmv DESC, c.units DESC, c.category_id) AS place
  FROM sales_by_category_day AS c
  JOIN (
    SELECT business_date, currency, SUM(gmv) AS gmv
    FROM sales_by_category_day GROUP BY business_date, currency) AS d
  ON c.business_date = d.business_date AND c.currency = d.currency
  WHERE c.gmv > 0)
WHERE place <= ${SALES_TOP:-10};
