-- Naive: always a penny below the cheapest competitor, once a day, whatever it costs us.
CREATE MATERIALIZED VIEW naive_decision AS
SELECT
  'price:' || c.sku || ':' || CAST(n.today AS STRING) AS decision_id,
  CAST(CAST(n.today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'price' AS decision_type, c.sku, CAST(m.lowest - 0.01 AS DECIMAL(18, 4)) AS amount,
  'proposed' AS status
FROM pricing_current AS c
JOIN pricing_competitor AS m ON c.sku = m.sku
CROSS JOIN pricing_now AS n
WHERE c.price <> m.lowest - 0.01 AND m.lowest > 0.02;
