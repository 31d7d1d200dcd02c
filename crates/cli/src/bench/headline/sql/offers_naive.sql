-- Naive: a fifth off for everybody who has not bought for 30 days, once a silence.
CREATE MATERIALIZED VIEW naive_decision AS
SELECT
  'offer/' || p.customer_id || '/' || CAST(p.last_day AS STRING) AS decision_id,
  CAST(CAST(t.today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'offer' AS decision_type, p.customer_id, CAST(0.2 AS DECIMAL(18, 4)) AS amount,
  'proposed' AS status
FROM customer_purchase AS p
CROSS JOIN customers_today AS t
WHERE TIMESTAMPDIFF(DAY, p.last_day, t.today) > 30;
