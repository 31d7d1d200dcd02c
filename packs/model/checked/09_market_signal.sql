CREATE VIEW feed.judged_market_signal AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(kind, '') IS NULL THEN 'kind is missing'
    WHEN NULLIF(topic, '') IS NULL THEN 'topic is missing'
    WHEN kind NOT IN (
      'news', 'social', 'report', 'search_trend'
    ) THEN 'kind is not a word of the model: ' || kind
  END AS broken_rule
FROM feed.market_signal;

CREATE VIEW market_signal AS
SELECT
  event_id, event_time, ingest_time, source, kind, topic, brand, product_id, category_id, `value`,
  text, url, lang, ext
FROM feed.judged_market_signal
WHERE broken_rule IS NULL;

CREATE VIEW dirty_market_signal AS
SELECT 'market_signal' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'kind' VALUE kind, KEY 'topic' VALUE topic,
    KEY 'brand' VALUE brand, KEY 'product_id' VALUE product_id,
    KEY 'category_id' VALUE category_id, KEY 'value' VALUE `value`, KEY 'text' VALUE text,
    KEY 'url' VALUE url, KEY 'lang' VALUE lang
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_market_signal
WHERE broken_rule IS NOT NULL;
