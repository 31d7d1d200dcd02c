-- Naive: who has fewer than 20 pieces of an article gets 40 more, at most once a week.
CREATE MATERIALIZED VIEW naive_decision AS
SELECT
  'replenish:' || a.sku || ':' || a.location_id || ':'
    || CAST(TIMESTAMPDIFF(DAY, DATE '1970-01-05', t.today) / 7 AS STRING) AS decision_id,
  CAST(CAST(t.today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'replenish' AS decision_type, a.sku, a.location_id,
  CAST(40 AS DECIMAL(18, 4)) AS quantity, 'proposed' AS status
FROM inventory_availability AS a
CROSS JOIN inventory_today AS t
WHERE a.available < 20;
