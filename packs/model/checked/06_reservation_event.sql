CREATE VIEW feed.judged_reservation_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(reservation_id, '') IS NULL THEN 'reservation_id is missing'
    WHEN NULLIF(version, -2147483648) IS NULL THEN 'version is missing'
    WHEN NULLIF(op, '') IS NULL THEN 'op is missing'
    WHEN NULLIF(sku, '') IS NULL THEN 'sku is missing'
    WHEN NULLIF(location_id, '') IS NULL THEN 'location_id is missing'
    WHEN NULLIF(quantity, -99999999999999) IS NULL THEN 'quantity is missing'
    WHEN NULLIF(owner_type, '') IS NULL THEN 'owner_type is missing'
    WHEN NULLIF(owner_id, '') IS NULL THEN 'owner_id is missing'
    WHEN op NOT IN (
      'reserve', 'confirm', 'release', 'expire'
    ) THEN 'op is not a word of the model: ' || op
    WHEN owner_type NOT IN (
      'cart', 'order'
    ) THEN 'owner_type is not a word of the model: ' || owner_type
    WHEN version < 1
      THEN 'version begins at 1'
    WHEN quantity <= 0
      THEN 'quantity must be positive'
  END AS broken_rule
FROM feed.reservation_event;

CREATE VIEW reservation_event AS
SELECT
  event_id, event_time, ingest_time, source, reservation_id, version, op, sku, location_id,
  quantity, owner_type, owner_id, expires_at, ext
FROM feed.judged_reservation_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_reservation_event AS
SELECT 'reservation_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'reservation_id' VALUE reservation_id,
    KEY 'version' VALUE version, KEY 'op' VALUE op, KEY 'sku' VALUE sku,
    KEY 'location_id' VALUE location_id, KEY 'quantity' VALUE CAST(quantity AS STRING),
    KEY 'owner_type' VALUE owner_type, KEY 'owner_id' VALUE owner_id,
    KEY 'expires_at' VALUE CAST(expires_at AS STRING)
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_reservation_event
WHERE broken_rule IS NOT NULL;
