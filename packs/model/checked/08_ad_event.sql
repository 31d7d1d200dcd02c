CREATE VIEW feed.judged_ad_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(kind, '') IS NULL THEN 'kind is missing'
    WHEN NULLIF(campaign_id, '') IS NULL THEN 'campaign_id is missing'
    WHEN kind NOT IN (
      'bid', 'win', 'loss', 'impression', 'click', 'conversion', 'cost'
    ) THEN 'kind is not a word of the model: ' || kind
    WHEN bid_micros < 0 OR price_micros < 0
      THEN 'an amount is negative'
    WHEN kind = 'click' AND click_id IS NULL
      THEN 'click_id is missing on a click'
    WHEN kind IN ('bid', 'win', 'loss') AND auction_id IS NULL
      THEN 'auction_id is missing'
  END AS broken_rule
FROM feed.ad_event;

CREATE VIEW ad_event AS
SELECT
  event_id, event_time, ingest_time, source, channel, kind, campaign_id, ad_group_id, creative_id,
  placement, auction_id, imp_id, click_id, anonymous_id, customer_id, bid_micros, price_micros,
  currency, conversion_value, order_id, ext
FROM feed.judged_ad_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_ad_event AS
SELECT 'ad_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'kind' VALUE kind,
    KEY 'campaign_id' VALUE campaign_id, KEY 'ad_group_id' VALUE ad_group_id,
    KEY 'creative_id' VALUE creative_id, KEY 'placement' VALUE placement,
    KEY 'auction_id' VALUE auction_id, KEY 'imp_id' VALUE imp_id, KEY 'click_id' VALUE click_id,
    KEY 'anonymous_id' VALUE anonymous_id, KEY 'customer_id' VALUE customer_id,
    KEY 'bid_micros' VALUE bid_micros, KEY 'price_micros' VALUE price_micros,
    KEY 'currency' VALUE currency, KEY 'conversion_value' VALUE CAST(conversion_value AS STRING),
    KEY 'order_id' VALUE order_id
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_ad_event
WHERE broken_rule IS NOT NULL;
