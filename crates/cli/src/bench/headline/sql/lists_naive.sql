-- Naive: what is popular, to everybody who has ever bought, every day anew.
CREATE MATERIALIZED VIEW naive_decision AS
SELECT
  'recommend/' || c.customer_id || '/' || CAST(t.today AS STRING) AS decision_id,
  CAST(CAST(t.today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'recommend' AS decision_type, c.customer_id, l.items AS action, 'proposed' AS status
FROM (SELECT DISTINCT customer_id FROM recommend_repeat) AS c
CROSS JOIN recommend_today AS t
CROSS JOIN (
  SELECT JSON_OBJECTAGG(KEY LPAD(CAST(place AS STRING), 2, '0') VALUE sku) AS items
  FROM recommend_popular WHERE place <= 10) AS l;
