-- The journal: what the packs decide goes into the table `decision`, once.
--
-- A decision of a pack is a row of a view: it follows the data, and goes when its reason goes. What
-- was decided must not change afterwards, and must not be done twice. So all that the packs say is
-- written as changes (decision_draft), those changes are read as plain rows (decision_word), and of
-- each decision_id the first word is what was decided. A project includes this file behind the
-- tables of the model and in front of the from_PACK.sql of its packs.

CREATE TABLE decision_draft WITH (
  'connector' = 'log', 'path' = '${DECISIONS_DRAFT_LOG:-.rialto/log/decision_draft}',
  'format' = 'debezium-json'
) LIKE model.decision (EXCLUDING WATERMARKS);

-- The same log, record by record, at the time when a record was written.
CREATE TABLE decision_word (
  `after` ROW<
    decision_id STRING, decided_at TIMESTAMP_LTZ(3), decision_type STRING, subject_type STRING,
    subject_id STRING, sku STRING, location_id STRING, customer_id STRING, campaign_id STRING,
    quantity DECIMAL(18, 4), amount DECIMAL(18, 4), currency STRING, action STRING,
    policy STRING, policy_version STRING, model_version STRING, data_age_ms BIGINT,
    inputs STRING, reasons STRING, experiment STRING, variant STRING, propensity DOUBLE,
    status STRING, actor STRING, ext STRING>,
  op STRING,
  written_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR written_at AS written_at - INTERVAL '1' SECOND
) WITH (
  'connector' = 'log', 'path' = '${DECISIONS_DRAFT_LOG:-.rialto/log/decision_draft}',
  'format' = 'json'
);

-- A word is the first one when the clock of the log has passed it, so that there must always be a
-- next record: the minute of the newest sale or step is said into the log, too.
INSERT INTO decision_draft (decision_id, decided_at, decision_type, status)
SELECT 'clock', CAST(MAX(now_minute) AS TIMESTAMP_LTZ(3)), 'clock', 'rejected'
FROM (
  SELECT FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS now_minute FROM behavior_event
  UNION ALL
  SELECT FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS now_minute FROM sale_line)
HAVING MAX(now_minute) IS NOT NULL;

-- What may be done without being asked is `applied` at once: of these types, with these states.
-- Messages are not among them: packs/delivery says which of them may leave the house.
INSERT INTO decision (
  decision_id, decided_at, decision_type, subject_type, subject_id, sku, location_id,
  customer_id, campaign_id, quantity, amount, currency, action, policy, policy_version,
  model_version, data_age_ms, inputs, reasons, experiment, variant, propensity, status, actor,
  ext)
SELECT decision_id,
  COALESCE(decided_at, written_at) AS decided_at,
  decision_type, subject_type, subject_id, sku, location_id, customer_id, campaign_id, quantity,
  amount, currency, action, policy, policy_version, model_version, data_age_ms, inputs, reasons,
  experiment, variant, propensity,
  CASE
    WHEN decision_type IN (${DECISIONS_APPLY_TYPES:-'price', 'replenish', 'allocate', 'budget'})
      AND status IN (${DECISIONS_APPLY_STATUS:-'approved'}) THEN 'applied'
    ELSE status
  END AS status,
  actor, ext
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY decision_id ORDER BY written_at) AS nth
  FROM (
    SELECT
      w.`after`.decision_id AS decision_id, w.`after`.decided_at AS decided_at,
      w.`after`.decision_type AS decision_type, w.`after`.subject_type AS subject_type,
      w.`after`.subject_id AS subject_id, w.`after`.sku AS sku,
      w.`after`.location_id AS location_id, w.`after`.customer_id AS customer_id,
      w.`after`.campaign_id AS campaign_id, w.`after`.quantity AS quantity,
      w.`after`.amount AS amount, w.`after`.currency AS currency, w.`after`.action AS action,
      w.`after`.policy AS policy, w.`after`.policy_version AS policy_version,
      w.`after`.model_version AS model_version, w.`after`.data_age_ms AS data_age_ms,
      w.`after`.inputs AS inputs, w.`after`.reasons AS reasons,
      w.`after`.experiment AS experiment, w.`after`.variant AS variant,
      w.`after`.propensity AS propensity, w.`after`.actor AS actor, w.`after`.ext AS ext,
      w.`after`.status AS status, w.written_at
    FROM decision_word AS w
    WHERE w.op <> 'd' AND w.`after`.decision_type <> 'clock'))
WHERE nth = 1;

-- What somebody said on a decision: `POST /v1/decisions/{id}` writes here. `event_id` is the decision
-- itself, so that of two who say something at once one is refused.
CREATE TABLE decision_review (
  event_id STRING NOT NULL,
  decision_id STRING NOT NULL,
  verdict STRING NOT NULL COMMENT 'approve, reject',
  note STRING,
  actor STRING,
  reviewed_at TIMESTAMP_LTZ(3) NOT NULL
) WITH (
  'connector' = 'http', 'path' = '${DECISIONS_REVIEW_LOG:-.rialto/log/decision_review}'
);

-- It becomes one more word on the decision, for whoever carries it out.
INSERT INTO decision (
  decision_id, decided_at, decision_type, subject_type, subject_id, sku, location_id,
  customer_id, campaign_id, quantity, amount, currency, action, policy, policy_version,
  model_version, data_age_ms, inputs, reasons, experiment, variant, propensity, status, actor,
  ext)
SELECT
  d.decision_id, r.reviewed_at AS decided_at, d.decision_type, d.subject_type, d.subject_id, d.sku,
  d.location_id, d.customer_id, d.campaign_id, d.quantity, d.amount, d.currency, d.action, d.policy,
  d.policy_version, d.model_version, d.data_age_ms, d.inputs, d.reasons, d.experiment, d.variant,
  d.propensity,
  CASE
    WHEN r.verdict = 'reject' THEN 'rejected'
    WHEN d.decision_type IN (${DECISIONS_APPLY_TYPES:-'price', 'replenish', 'allocate', 'budget'})
      THEN 'applied'
    ELSE 'approved'
  END AS status,
  r.actor, d.ext
FROM decision_review AS r
JOIN decision AS d ON r.decision_id = d.decision_id
WHERE d.status = 'proposed';
