-- The outbox: each approved message once, in a log that only grows. What delivers reads it from here:
-- to_webhook.sql, to_kafka.sql, to_postgres.sql, to_decision.sql, or a job of one's own. Beside it,
-- once as well, what will never leave any more, and why. A project includes this file behind the
-- tables of the model and in front of packs/delivery/sql.
--
-- A message may be approved, taken back and approved again before it is sent; sent it is once. So, as
-- in packs/decisions/journal.sql, changes are written to a log and the first word on each is kept: a
-- message leaves or it does not, and never both.

CREATE TABLE delivery_outbox (
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
) WITH ('connector' = 'log', 'path' = '${DELIVERY_OUTBOX_LOG:-.rialto/log/delivery_outbox}');

-- What will never leave any more: the same columns, and why.
CREATE TABLE delivery_unsent (
  unsent_because STRING
) WITH ('connector' = 'log', 'path' = '${DELIVERY_UNSENT_LOG:-.rialto/log/delivery_unsent}')
LIKE delivery_outbox;

CREATE TABLE delivery_draft WITH (
  'connector' = 'log', 'path' = '${DELIVERY_DRAFT_LOG:-.rialto/log/delivery_draft}',
  'format' = 'debezium-json'
) LIKE delivery_unsent;

-- The same log, record by record, at the time when a record was written.
CREATE TABLE delivery_word (
  `after` ROW<
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
    unsent_because STRING>,
  op STRING,
  written_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR written_at AS written_at - INTERVAL '1' SECOND
) WITH (
  'connector' = 'log', 'path' = '${DELIVERY_DRAFT_LOG:-.rialto/log/delivery_draft}',
  'format' = 'json'
);

-- What was said first on each message: that it may leave, or why it will not any more.
CREATE VIEW delivery_first_word AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY decision_id ORDER BY written_at) AS nth
  FROM (
    SELECT
      w.`after`.decision_id AS decision_id, w.`after`.customer_id AS customer_id,
      w.`after`.decided_at AS decided_at, w.`after`.send_at AS send_at,
      w.`after`.decision_type AS decision_type, w.`after`.amount AS amount,
      w.`after`.currency AS currency, w.`after`.action AS action,
      w.`after`.policy AS policy, w.`after`.experiment AS experiment,
      w.`after`.variant AS variant, w.`after`.propensity AS propensity,
      w.`after`.unsent_because AS unsent_because, w.written_at
    FROM delivery_word AS w
    WHERE w.op <> 'd' AND w.`after`.decision_id <> 'clock'))
WHERE nth = 1;

-- The cap is kept here once more, in the order of the log. The views see the outbox a moment later
-- than it is written: of messages that come in that moment, older ones take the place of what has left
-- already. A message leaves where of those before it all but the last ${DELIVERY_CAP:-2} - 1 are
-- ${DELIVERY_CAP_DAYS:-7} days older or more.
CREATE VIEW delivery_in_line AS
SELECT *, LAG(latest, ${DELIVERY_CAP:-2}) OVER (
  PARTITION BY customer_id ORDER BY written_at) AS latest_beyond
FROM (
  SELECT *, MAX(send_at) OVER (
    PARTITION BY customer_id ORDER BY written_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS latest
  FROM delivery_first_word
  WHERE unsent_because IS NULL);

INSERT INTO delivery_outbox
SELECT decision_id, customer_id, decided_at, send_at, decision_type, amount, currency, action,
  policy, experiment, variant, propensity
FROM delivery_in_line
WHERE latest_beyond IS NULL
  OR latest_beyond <= send_at - INTERVAL '${DELIVERY_CAP_DAYS:-7}' DAY(3);

INSERT INTO delivery_unsent
SELECT decision_id, customer_id, decided_at, send_at, decision_type, amount, currency, action,
  policy, experiment, variant, propensity, unsent_because
FROM delivery_first_word
WHERE unsent_because IS NOT NULL
UNION ALL
SELECT decision_id, customer_id, decided_at, send_at, decision_type, amount, currency, action,
  policy, experiment, variant, propensity, 'frequency cap: others left first'
FROM delivery_in_line
WHERE latest_beyond > send_at - INTERVAL '${DELIVERY_CAP_DAYS:-7}' DAY(3);
