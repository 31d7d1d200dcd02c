-- Each message of the outbox as one signed request to DELIVERY_URL: docs/connectors.md, webhook. The
-- header Idempotency-Key is the same whenever a request is made again; so is decision_id.
-- DELIVERY_SECRET has no default: a run without one is refused.
CREATE TABLE delivery_webhook (
  decision_id STRING,
  customer_id STRING,
  decided_at TIMESTAMP_LTZ(3),
  send_at TIMESTAMP_LTZ(3),
  decision_type STRING,
  amount DECIMAL(18, 4),
  currency STRING,
  action STRING,
  policy STRING,
  experiment STRING,
  variant STRING,
  propensity DOUBLE
) WITH (
  'connector' = 'webhook', 'url' = '${DELIVERY_URL}', 'body' = 'row',
  'secret' = '${DELIVERY_SECRET:-}',
  'allow-private-addresses' = '${DELIVERY_ALLOW_PRIVATE_ADDRESSES:-false}'
);

INSERT INTO delivery_webhook
SELECT decision_id, customer_id, decided_at, send_at, decision_type, amount, currency, action,
  policy, experiment, variant, propensity
FROM delivery_outbox;
