-- Textbook: a tenth off for who bought at least twice and has been silent for twice as long as
-- usual, once a silence, with consent.
CREATE MATERIALIZED VIEW textbook_decision AS
SELECT
  'offer/' || p.customer_id || '/' || CAST(p.last_day AS STRING) AS decision_id,
  CAST(CAST(t.today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'offer' AS decision_type, p.customer_id, CAST(0.1 AS DECIMAL(18, 4)) AS amount,
  'proposed' AS status
FROM customer_purchase AS p
CROSS JOIN customers_today AS t
JOIN customer_consent AS c ON c.customer_id = p.customer_id
WHERE c.allowed AND p.orders >= 2
  AND TIMESTAMPDIFF(DAY, p.last_day, t.today) > GREATEST(p.cycle_days * 2, 14);
