-- What a policy wants done, and what came of it. Packs write these two.

-- Key: decision_id. The columns behind `subject_id` are the action; which of them a type needs is
-- in docs/event-model.md.
CREATE TABLE model.decision (
  decision_id STRING NOT NULL,
  decided_at TIMESTAMP_LTZ(3) NOT NULL,
  decision_type STRING NOT NULL COMMENT 'recommend, price, replenish, offer, contact, case, budget, allocate',
  subject_type STRING COMMENT 'sku, customer, campaign, ...',
  subject_id STRING,
  sku STRING,
  location_id STRING,
  customer_id STRING,
  campaign_id STRING,
  quantity DECIMAL(18, 4) COMMENT 'replenish: how many to order',
  amount DECIMAL(18, 4) COMMENT 'price: the new list price; budget: for a day; offer: the discount, 0.2 is a fifth off',
  currency STRING,
  action STRING COMMENT 'all of it, as JSON',
  policy STRING,
  policy_version STRING,
  model_version STRING,
  data_age_ms BIGINT COMMENT 'how old the newest row was of the feed that is furthest behind',
  inputs STRING COMMENT 'the figures that it was made of, as JSON',
  reasons STRING COMMENT 'sentences, as JSON',
  experiment STRING,
  variant STRING COMMENT 'policy, hold_out, or another that is tried',
  propensity DOUBLE COMMENT 'with what probability this variant was chosen',
  status STRING NOT NULL COMMENT 'proposed, approved, applied, rejected, expired',
  actor STRING,
  ext STRING,
  WATERMARK FOR decided_at AS decided_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- Key: (decision_id, event_id).
CREATE TABLE model.outcome (
  decision_id STRING NOT NULL,
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  kind STRING NOT NULL COMMENT 'sale, click, visit, stockout, return, ...',
  `value` DECIMAL(18, 4),
  currency STRING,
  attribution STRING COMMENT 'first, last, linear, position',
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');
