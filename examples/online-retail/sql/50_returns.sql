-- What came back, each day?
--
-- returns        cancelled invoices
-- lines, pieces, amount
--                what they say, as positive numbers
-- share_percent  the amount in percent of the day's gross sales; NULL without sales.
--                A return counts on the day it comes back, not on that of its sale, so a bad day
--                can pass 100.
CREATE MATERIALIZED VIEW returns_by_day AS
SELECT sale_day, returns, lines, pieces, amount,
  CAST(100 * amount / NULLIF(gross_sales, 0) AS DECIMAL(12, 2)) AS share_percent
FROM (
  SELECT
    sale_day,
    COUNT(DISTINCT CASE WHEN kind = 'return' THEN invoice END) AS returns,
    COUNT(*) FILTER (WHERE kind = 'return') AS lines,
    SUM(CASE WHEN kind = 'return' THEN -quantity ELSE 0 END) AS pieces,
    SUM(CASE WHEN kind = 'return' THEN -line_total ELSE 0 END) AS amount,
    SUM(CASE WHEN kind = 'sale' THEN line_total ELSE 0 END) AS gross_sales
  FROM sale_lines
  GROUP BY sale_day
) AS days;
