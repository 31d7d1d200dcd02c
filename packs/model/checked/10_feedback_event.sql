CREATE VIEW feed.judged_feedback_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(kind, '') IS NULL THEN 'kind is missing'
    WHEN kind NOT IN (
      'review', 'social', 'call', 'chat', 'survey', 'complaint'
    ) THEN 'kind is not a word of the model: ' || kind
    WHEN rating < 1 OR rating > 5
      THEN 'rating is not between 1 and 5'
    WHEN kind = 'review' AND product_id IS NULL
      THEN 'product_id is missing on a review'
  END AS broken_rule
FROM feed.feedback_event;

CREATE VIEW feedback_event AS
SELECT
  event_id, event_time, ingest_time, source, channel, customer_id, kind, rating, text, lang,
  product_id, order_id, author_ref, parent_id, ext
FROM feed.judged_feedback_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_feedback_event AS
SELECT 'feedback_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'customer_id' VALUE customer_id,
    KEY 'kind' VALUE kind, KEY 'rating' VALUE rating, KEY 'text' VALUE text,
    KEY 'lang' VALUE lang, KEY 'product_id' VALUE product_id, KEY 'order_id' VALUE order_id,
    KEY 'author_ref' VALUE author_ref, KEY 'parent_id' VALUE parent_id
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_feedback_event
WHERE broken_rule IS NOT NULL;
