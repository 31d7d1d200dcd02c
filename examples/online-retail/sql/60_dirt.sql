-- Lines that a careful reader would ask about. They stay in the figures above as those say; here
-- they can be counted and read. (Lines that are no CSV, or whose numbers are none, never get this
-- far: they are dead letters, which the command counts and shows with file and line.)
CREATE MATERIALIZED VIEW dirty_lines AS
SELECT
  CASE
    WHEN unit_price < 0 THEN 'negative price'
    WHEN invoice LIKE 'A%' THEN 'correction of the books'
    WHEN quantity < 0 AND kind <> 'return' THEN 'correction of the stock'
    ELSE 'no price'
  END AS reason,
  file, invoice, sku, description, quantity, unit_price, sold_at
FROM sale_lines
WHERE unit_price <= 0 OR invoice LIKE 'A%' OR (quantity < 0 AND kind <> 'return');

CREATE MATERIALIZED VIEW dirt AS
SELECT reason, COUNT(*) AS lines FROM dirty_lines GROUP BY reason
UNION ALL
SELECT 'no customer' AS reason, COUNT(*) AS lines FROM sale_lines WHERE customer_id IS NULL;
