CREATE VIEW feed.judged_behavior_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(action, '') IS NULL THEN 'action is missing'
    WHEN action NOT IN (
      'page_viewed', 'search', 'list_viewed', 'list_filtered', 'product_clicked',
      'product_viewed', 'cart_added', 'cart_removed', 'cart_viewed', 'checkout_started',
      'checkout_step', 'promo_viewed', 'promo_clicked', 'wishlist_added', 'shared',
      'review_opened', 'store_visited'
    ) THEN 'action is not a word of the model: ' || action
    WHEN customer_id IS NULL AND anonymous_id IS NULL
      THEN 'neither customer_id nor anonymous_id says who it was'
    WHEN `position` < 1
      THEN 'position begins at 1'
    WHEN quantity < 0
      THEN 'quantity is negative'
    WHEN unit_price < 0
      THEN 'unit_price is negative'
  END AS broken_rule
FROM feed.behavior_event;

CREATE VIEW behavior_event AS
SELECT
  event_id, event_time, ingest_time, source, channel, anonymous_id, customer_id, device_id,
  session_id, store_id, campaign_id, click_id, action, product_id, sku, category_id, list_id,
  `position`, query, cart_id, quantity, unit_price, currency, coupon, step, url, ext
FROM feed.judged_behavior_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_behavior_event AS
SELECT 'behavior_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'anonymous_id' VALUE anonymous_id,
    KEY 'customer_id' VALUE customer_id, KEY 'device_id' VALUE device_id,
    KEY 'session_id' VALUE session_id, KEY 'store_id' VALUE store_id,
    KEY 'campaign_id' VALUE campaign_id, KEY 'click_id' VALUE click_id, KEY 'action' VALUE action,
    KEY 'product_id' VALUE product_id, KEY 'sku' VALUE sku, KEY 'category_id' VALUE category_id,
    KEY 'list_id' VALUE list_id, KEY 'position' VALUE `position`, KEY 'query' VALUE query,
    KEY 'cart_id' VALUE cart_id, KEY 'quantity' VALUE CAST(quantity AS STRING),
    KEY 'unit_price' VALUE CAST(unit_price AS STRING), KEY 'currency' VALUE currency,
    KEY 'coupon' VALUE coupon, KEY 'step' VALUE step, KEY 'url' VALUE url
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_behavior_event
WHERE broken_rule IS NOT NULL;
