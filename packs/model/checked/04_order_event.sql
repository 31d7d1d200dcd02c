CREATE VIEW feed.judged_order_event AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(order_id, '') IS NULL THEN 'order_id is missing'
    WHEN NULLIF(status, '') IS NULL THEN 'status is missing'
    WHEN status NOT IN (
      'created', 'paid', 'allocated', 'picked', 'packed', 'shipped', 'out_for_delivery',
      'delivered', 'cancelled', 'return_requested', 'returned', 'refunded'
    ) THEN 'status is not a word of the model: ' || status
    WHEN status = 'created' AND amount < 0
      THEN 'amount is negative'
  END AS broken_rule
FROM feed.order_event;

CREATE VIEW order_event AS
SELECT
  event_id, event_time, ingest_time, source, channel, order_id, customer_id, cart_id, status,
  node_id, line_count, amount, currency, promised_at, carrier, tracking_no, reason, ext
FROM feed.judged_order_event
WHERE broken_rule IS NULL;

CREATE VIEW dirty_order_event AS
SELECT 'order_event' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel, KEY 'order_id' VALUE order_id,
    KEY 'customer_id' VALUE customer_id, KEY 'cart_id' VALUE cart_id, KEY 'status' VALUE status,
    KEY 'node_id' VALUE node_id, KEY 'line_count' VALUE line_count,
    KEY 'amount' VALUE CAST(amount AS STRING), KEY 'currency' VALUE currency,
    KEY 'promised_at' VALUE CAST(promised_at AS STRING), KEY 'carrier' VALUE carrier,
    KEY 'tracking_no' VALUE tracking_no, KEY 'reason' VALUE reason
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_order_event
WHERE broken_rule IS NOT NULL;
