-- Textbook: everybody's own articles, those bought most often first, every day anew.
CREATE MATERIALIZED VIEW textbook_decision AS
SELECT
  'recommend/' || l.customer_id || '/' || CAST(t.today AS STRING) AS decision_id,
  CAST(CAST(t.today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'recommend' AS decision_type, l.customer_id, l.items AS action, 'proposed' AS status
FROM (
  SELECT customer_id,
    JSON_OBJECTAGG(KEY LPAD(CAST(place AS STRING), 2, '0') VALUE sku) AS items
  FROM (
    SELECT customer_id, sku, ROW_NUMBER() OVER (
      PARTITION BY customer_id ORDER BY purchases DESC, last_on DESC, sku) AS place
    FROM recommend_repeat)
  WHERE place <= 10
  GROUP BY customer_id) AS l
CROSS JOIN recommend_today AS t;
