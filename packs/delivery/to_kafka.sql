-- Each message of the outbox as a record of the topic DELIVERY_TOPIC, by customer: exactly once where
-- readers read committed records only.
CREATE TABLE delivery_kafka (
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
  'connector' = 'kafka', 'topic' = '${DELIVERY_TOPIC:-contacts}',
  'properties.bootstrap.servers' = '${DELIVERY_BROKERS:-localhost:9092}',
  'key.format' = 'raw', 'key.fields' = 'customer_id', 'value.format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '${DELIVERY_TRANSACTIONS:-rialto-delivery}'
);

INSERT INTO delivery_kafka
SELECT decision_id, customer_id, decided_at, send_at, decision_type, amount, currency, action,
  policy, experiment, variant, propensity
FROM delivery_outbox;
