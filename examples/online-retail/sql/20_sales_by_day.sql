-- What did we sell, each day and in each country?
--
-- net_sales     all lines: sales less returns less corrections, postage and fees included
-- orders        invoices with at least one line of kind `sale`
-- gross_sales   the lines of kind `sale` alone
-- basket_value  gross_sales an order, to the penny; NULL on a day that has returns only
CREATE MATERIALIZED VIEW sales_by_day AS
SELECT
  sale_day,
  country,
  net_sales,
  orders,
  gross_sales,
  CAST(gross_sales / NULLIF(orders, 0) AS DECIMAL(12, 2)) AS basket_value
FROM (
  SELECT
    sale_day,
    country,
    SUM(line_total) AS net_sales,
    COUNT(DISTINCT CASE WHEN kind = 'sale' THEN invoice END) AS orders,
    SUM(CASE WHEN kind = 'sale' THEN line_total ELSE 0 END) AS gross_sales
  FROM sale_lines
  GROUP BY sale_day, country
) AS days;
