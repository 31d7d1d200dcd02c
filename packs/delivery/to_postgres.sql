-- Each message of the outbox as a row of a PostgreSQL table, once. The table must be there:
--
-- CREATE TABLE delivery_outbox (
--   decision_id text PRIMARY KEY,
--   customer_id text,
--   decided_at timestamptz,
--   send_at timestamptz,
--   decision_type text,
--   amount numeric(18, 4),
--   currency text,
--   action text,
--   policy text,
--   experiment text,
--   variant text,
--   propensity double precision
-- );
CREATE TABLE delivery_postgres (
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
  propensity DOUBLE,
  PRIMARY KEY (decision_id) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = '${DELIVERY_DATABASE:-jdbc:postgresql://localhost:5432/shop}',
  'table-name' = '${DELIVERY_TABLE:-delivery_outbox}',
  'username' = '${DELIVERY_DATABASE_USER:-rialto}',
  'password' = '${DELIVERY_DATABASE_PASSWORD:-}'
);

INSERT INTO delivery_postgres
SELECT decision_id, customer_id, decided_at, send_at, decision_type, amount, currency, action,
  policy, experiment, variant, propensity
FROM delivery_outbox;
