CREATE VIEW feed.judged_contact_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(channel, '') IS NULL THEN 'channel is missing'
    WHEN NULLIF(customer_id, '') IS NULL THEN 'customer_id is missing'
    WHEN NULLIF(kind, '') IS NULL THEN 'kind is missing'
    WHEN channel NOT IN (
      'email', 'sms', 'push'
    ) THEN 'channel is not a word of the model: ' || channel
    WHEN kind NOT IN (
      'queued', 'sent', 'delivered', 'opened', 'clicked', 'bounced', 'unsubscribed', 'suppressed'
    ) THEN 'kind is not a word of the model: ' || kind
  END AS broken_rule
FROM feed.contact_event;

CREATE VIEW contact_event AS
SELECT
  event_id, event_time, ingest_time, source, channel, customer_id, kind, message_id, decision_id,
  campaign_id, template_id, variant, reason, ext
FROM feed.judged_contact_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_contact_event AS
SELECT 'contact_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'customer_id' VALUE customer_id,
    KEY 'kind' VALUE kind, KEY 'message_id' VALUE message_id, KEY 'decision_id' VALUE decision_id,
    KEY 'campaign_id' VALUE campaign_id, KEY 'template_id' VALUE template_id,
    KEY 'variant' VALUE variant, KEY 'reason' VALUE reason
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_contact_event
WHERE broken_rule IS NOT NULL;
