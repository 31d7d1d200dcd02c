-- What customers say, collect and receive, and who they are.

-- A review, a complaint, a chat. Key: event_id. About: customer_id, or else author_ref. `text` is
-- personal data.
CREATE TABLE model.feedback_event (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  channel STRING,
  customer_id STRING,
  kind STRING NOT NULL COMMENT 'review, social, call, chat, survey, complaint',
  rating INT COMMENT '1 to 5',
  text STRING,
  lang STRING COMMENT 'zh, en, ...',
  product_id STRING,
  order_id STRING,
  author_ref STRING,
  parent_id STRING COMMENT 'what it answers',
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- An entry of the ledger of points. Key: entry_id. About: customer_id.
CREATE TABLE model.loyalty_entry (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  entry_id STRING NOT NULL,
  customer_id STRING NOT NULL COMMENT 'the member',
  entry_type STRING NOT NULL COMMENT 'earn, burn, expire, adjust, transfer, reverse, hold, release',
  wallet STRING NOT NULL COMMENT 'points, ...',
  points DECIMAL(18, 4) NOT NULL COMMENT 'earned: positive; burnt, expired: negative; reversed: against what it reverses',
  state STRING NOT NULL COMMENT 'pending, active, locked, expired',
  available_at TIMESTAMP_LTZ(3),
  expires_at TIMESTAMP_LTZ(3),
  rule_id STRING,
  rule_version INT,
  ref_type STRING COMMENT 'sale, return, entry',
  ref_id STRING,
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- What became of a message to a customer. Key: event_id. About: customer_id.
CREATE TABLE model.contact_event (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  channel STRING NOT NULL COMMENT 'email, sms, push',
  customer_id STRING NOT NULL,
  kind STRING NOT NULL COMMENT 'queued, sent, delivered, opened, clicked, bounced, unsubscribed, suppressed',
  message_id STRING COMMENT 'the same on all events of one message',
  decision_id STRING,
  campaign_id STRING,
  template_id STRING,
  variant STRING,
  reason STRING,
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- Who is who, and what they allow. Key: event_id. About: customer_id.
CREATE TABLE model.identity_event (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  channel STRING,
  op STRING NOT NULL COMMENT 'identify, alias, merge, unmerge, consent_granted, consent_withdrawn',
  id_type STRING COMMENT 'anonymous_id, email, phone, card, device, login',
  id_hash STRING COMMENT 'of the id, never the id itself (an anonymous_id is none)',
  customer_id STRING NOT NULL,
  target_customer_id STRING COMMENT 'on merge: who remains; on unmerge: who is split off',
  purpose STRING COMMENT 'of a consent: analytics, marketing, personalization',
  evidence STRING COMMENT 'login, receipt, form, ...',
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');
