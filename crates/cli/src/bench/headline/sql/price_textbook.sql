-- Textbook: cost times e / (e - 1), the best price where demand has the constant elasticity e; as
-- nobody knows e, it is taken for 2.5. Once for each article.
CREATE MATERIALIZED VIEW textbook_decision AS
SELECT
  'price:' || c.sku AS decision_id,
  CAST(n.now_hour AS TIMESTAMP_LTZ(3)) AS decided_at,
  'price' AS decision_type, c.sku, CAST(k.unit_cost * 2.5 / 1.5 AS DECIMAL(18, 4)) AS amount,
  'proposed' AS status
FROM pricing_current AS c
JOIN pricing_cost AS k ON c.sku = k.sku
CROSS JOIN pricing_now AS n
WHERE k.unit_cost > 0;
