CREATE VIEW feed.judged_stock_movement AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(action, '') IS NULL THEN 'action is missing'
    WHEN NULLIF(sku, '') IS NULL THEN 'sku is missing'
    WHEN NULLIF(location_id, '') IS NULL THEN 'location_id is missing'
    WHEN NULLIF(quantity, -99999999999999) IS NULL THEN 'quantity is missing'
    WHEN action NOT IN (
      'add', 'delete', 'observe'
    ) THEN 'action is not a word of the model: ' || action
    WHEN action = 'add' AND quantity <= 0
      THEN 'quantity of add must be positive'
    WHEN action = 'delete' AND quantity >= 0
      THEN 'quantity of delete must be negative'
    WHEN action = 'observe' AND quantity < 0
      THEN 'quantity of observe must not be negative'
    WHEN epc IS NOT NULL AND ABS(quantity) <> 1
      THEN 'a tag is one piece'
    WHEN epc IS NOT NULL AND ref_id IS NULL
      THEN 'ref_id is missing beside a tag'
  END AS broken_rule
FROM feed.stock_movement;

CREATE VIEW stock_movement AS
SELECT
  event_id, event_time, ingest_time, source, channel, action, biz_step, disposition, sku,
  location_id, quantity, uom, epc, read_point, ref_type, ref_id, unit_cost, currency, ext
FROM feed.judged_stock_movement
WHERE broken_rule IS NULL;

CREATE VIEW dirty_stock_movement AS
SELECT 'stock_movement' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'action' VALUE action,
    KEY 'biz_step' VALUE biz_step, KEY 'disposition' VALUE disposition, KEY 'sku' VALUE sku,
    KEY 'location_id' VALUE location_id, KEY 'quantity' VALUE CAST(quantity AS STRING),
    KEY 'uom' VALUE uom, KEY 'epc' VALUE epc, KEY 'read_point' VALUE read_point,
    KEY 'ref_type' VALUE ref_type, KEY 'ref_id' VALUE ref_id,
    KEY 'unit_cost' VALUE CAST(unit_cost AS STRING), KEY 'currency' VALUE currency
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_stock_movement
WHERE broken_rule IS NOT NULL;
