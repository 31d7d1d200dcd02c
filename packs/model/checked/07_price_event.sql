CREATE VIEW feed.judged_price_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(sku, '') IS NULL THEN 'sku is missing'
    WHEN NULLIF(price_type, '') IS NULL THEN 'price_type is missing'
    WHEN NULLIF(amount, -99999999999999) IS NULL THEN 'amount is missing'
    WHEN NULLIF(currency, '') IS NULL THEN 'currency is missing'
    WHEN price_type NOT IN (
      'list', 'net', 'promo', 'markdown', 'competitor', 'cost'
    ) THEN 'price_type is not a word of the model: ' || price_type
    WHEN amount < 0
      THEN 'amount is negative'
    WHEN price_type = 'competitor' AND competitor_id IS NULL
      THEN 'competitor_id is missing'
    WHEN match_confidence < 0 OR match_confidence > 1
      THEN 'match_confidence is not between 0 and 1'
    WHEN valid_to <= valid_from
      THEN 'valid_to is not after valid_from'
    WHEN CHAR_LENGTH(currency) <> 3
      THEN 'currency is not a code of three letters'
  END AS broken_rule
FROM feed.price_event;

CREATE VIEW price_event AS
SELECT
  event_id, event_time, ingest_time, source, channel, sku, price_type, competitor_id, location_id,
  amount, currency, valid_from, valid_to, in_stock, match_confidence, promotion_id, decision_id,
  ext
FROM feed.judged_price_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_price_event AS
SELECT 'price_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'sku' VALUE sku,
    KEY 'price_type' VALUE price_type, KEY 'competitor_id' VALUE competitor_id,
    KEY 'location_id' VALUE location_id, KEY 'amount' VALUE CAST(amount AS STRING),
    KEY 'currency' VALUE currency, KEY 'valid_from' VALUE CAST(valid_from AS STRING),
    KEY 'valid_to' VALUE CAST(valid_to AS STRING), KEY 'in_stock' VALUE in_stock,
    KEY 'match_confidence' VALUE match_confidence, KEY 'promotion_id' VALUE promotion_id,
    KEY 'decision_id' VALUE decision_id
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_price_event
WHERE broken_rule IS NOT NULL;
