CREATE VIEW feed.judged_identity_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(op, '') IS NULL THEN 'op is missing'
    WHEN NULLIF(customer_id, '') IS NULL THEN 'customer_id is missing'
    WHEN op NOT IN (
      'identify', 'alias', 'merge', 'unmerge', 'consent_granted', 'consent_withdrawn'
    ) THEN 'op is not a word of the model: ' || op
    WHEN op IN ('identify', 'alias') AND (id_type IS NULL OR id_hash IS NULL)
      THEN 'id_type or id_hash is missing'
    WHEN op IN ('merge', 'unmerge') AND target_customer_id IS NULL
      THEN 'target_customer_id is missing'
    WHEN op IN ('consent_granted', 'consent_withdrawn') AND purpose IS NULL
      THEN 'purpose is missing'
  END AS broken_rule
FROM feed.identity_event;

CREATE VIEW identity_event AS
SELECT
  event_id, event_time, ingest_time, source, channel, op, id_type, id_hash, customer_id,
  target_customer_id, purpose, evidence, ext
FROM feed.judged_identity_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_identity_event AS
SELECT 'identity_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'op' VALUE op,
    KEY 'id_type' VALUE id_type, KEY 'id_hash' VALUE id_hash, KEY 'customer_id' VALUE customer_id,
    KEY 'target_customer_id' VALUE target_customer_id, KEY 'purpose' VALUE purpose,
    KEY 'evidence' VALUE evidence
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_identity_event
WHERE broken_rule IS NOT NULL;
