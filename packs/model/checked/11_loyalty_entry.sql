CREATE VIEW feed.judged_loyalty_entry AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(entry_id, '') IS NULL THEN 'entry_id is missing'
    WHEN NULLIF(customer_id, '') IS NULL THEN 'customer_id is missing'
    WHEN NULLIF(entry_type, '') IS NULL THEN 'entry_type is missing'
    WHEN NULLIF(wallet, '') IS NULL THEN 'wallet is missing'
    WHEN NULLIF(points, -99999999999999) IS NULL THEN 'points is missing'
    WHEN NULLIF(state, '') IS NULL THEN 'state is missing'
    WHEN entry_type NOT IN (
      'earn', 'burn', 'expire', 'adjust', 'transfer', 'reverse', 'hold', 'release'
    ) THEN 'entry_type is not a word of the model: ' || entry_type
    WHEN state NOT IN (
      'pending', 'active', 'locked', 'expired'
    ) THEN 'state is not a word of the model: ' || state
    WHEN entry_type = 'earn' AND points <= 0
      THEN 'points of earn must be positive'
    WHEN entry_type IN ('burn', 'expire') AND points >= 0
      THEN 'points of burn and expire must be negative'
  END AS broken_rule
FROM feed.loyalty_entry;

CREATE VIEW loyalty_entry AS
SELECT
  event_id, event_time, ingest_time, source, entry_id, customer_id, entry_type, wallet, points,
  state, available_at, expires_at, rule_id, rule_version, ref_type, ref_id, ext
FROM feed.judged_loyalty_entry
WHERE broken_rule IS NULL;

CREATE VIEW dirty_loyalty_entry AS
SELECT 'loyalty_entry' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'entry_id' VALUE entry_id, KEY 'customer_id' VALUE customer_id,
    KEY 'entry_type' VALUE entry_type, KEY 'wallet' VALUE wallet,
    KEY 'points' VALUE CAST(points AS STRING), KEY 'state' VALUE state,
    KEY 'available_at' VALUE CAST(available_at AS STRING),
    KEY 'expires_at' VALUE CAST(expires_at AS STRING), KEY 'rule_id' VALUE rule_id,
    KEY 'rule_version' VALUE rule_version, KEY 'ref_type' VALUE ref_type,
    KEY 'ref_id' VALUE ref_id
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_loyalty_entry
WHERE broken_rule IS NOT NULL;
