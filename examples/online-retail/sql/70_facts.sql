-- The figures by which one sees at once that every line was read, and read rightly: they are
-- published for this data set, or were counted with another program (test.py does it again).
CREATE MATERIALIZED VIEW totals AS
SELECT
  COUNT(*) AS lines,
  COUNT(DISTINCT invoice) AS invoices,
  COUNT(DISTINCT sku) AS skus,
  COUNT(DISTINCT customer_id) AS customers,
  COUNT(DISTINCT country) AS countries,
  COUNT(*) FILTER (WHERE customer_id IS NULL) AS lines_without_customer,
  COUNT(*) FILTER (WHERE invoice LIKE 'C%') AS cancellation_lines,
  COUNT(*) FILTER (WHERE quantity < 0) AS negative_quantities,
  COUNT(*) FILTER (WHERE unit_price = 0) AS zero_prices,
  COUNT(*) FILTER (WHERE unit_price < 0) AS negative_prices,
  SUM(line_total) AS net,
  SUM(line_total) FILTER (WHERE line_total > 0 AND quantity > 0) AS positive_sales
FROM sale_lines;

CREATE MATERIALIZED VIEW first_day AS
SELECT COUNT(*) AS lines, COUNT(DISTINCT invoice) AS invoices, SUM(line_total) AS net
FROM sale_lines
WHERE sale_day = DATE '2010-12-01';

-- The clean set that studies of these data use: no cancellation, a quantity, a price, a customer.
CREATE MATERIALIZED VIEW clean AS
SELECT COUNT(*) AS lines, COUNT(DISTINCT invoice) AS invoices,
  COUNT(DISTINCT customer_id) AS customers
FROM sale_lines
WHERE invoice NOT LIKE 'C%' AND quantity > 0 AND unit_price > 0 AND customer_id IS NOT NULL;

CREATE MATERIALIZED VIEW duplicates AS
SELECT COALESCE(SUM(copies - 1), 0) AS lines
FROM (
  SELECT COUNT(*) AS copies
  FROM sale_lines
  GROUP BY invoice, sku, description, quantity, sold_at, unit_price, customer_id, country
) AS distinct_lines;

CREATE MATERIALIZED VIEW ambiguous AS
SELECT COUNT(*) AS skus
FROM (
  SELECT sku, COUNT(DISTINCT description) AS names
  FROM sale_lines WHERE description <> '' GROUP BY sku
) AS described
WHERE names > 1;

CREATE MATERIALIZED VIEW facts AS
SELECT 'lines' AS fact, CAST(lines AS DECIMAL(18, 3)) AS figure FROM totals
UNION ALL SELECT 'invoices', CAST(invoices AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'skus', CAST(skus AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'customers', CAST(customers AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'countries', CAST(countries AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'lines without customer', CAST(lines_without_customer AS DECIMAL(18, 3))
  FROM totals
UNION ALL SELECT 'cancellation lines', CAST(cancellation_lines AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'negative quantities', CAST(negative_quantities AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'zero prices', CAST(zero_prices AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'negative prices', CAST(negative_prices AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'exact duplicates', CAST(lines AS DECIMAL(18, 3)) FROM duplicates
UNION ALL SELECT 'skus of several descriptions', CAST(skus AS DECIMAL(18, 3)) FROM ambiguous
UNION ALL SELECT 'net', CAST(net AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'positive sales', CAST(positive_sales AS DECIMAL(18, 3)) FROM totals
UNION ALL SELECT 'first day: lines', CAST(lines AS DECIMAL(18, 3)) FROM first_day
UNION ALL SELECT 'first day: invoices', CAST(invoices AS DECIMAL(18, 3)) FROM first_day
UNION ALL SELECT 'first day: net', CAST(net AS DECIMAL(18, 3)) FROM first_day
UNION ALL SELECT 'clean: lines', CAST(lines AS DECIMAL(18, 3)) FROM clean
UNION ALL SELECT 'clean: invoices', CAST(invoices AS DECIMAL(18, 3)) FROM clean
UNION ALL SELECT 'clean: customers', CAST(customers AS DECIMAL(18, 3)) FROM clean;
