-- All decisions of all packs, one row each, with what became of them.

-- Key: decision_id. What somebody said on it first. On Flink the first row is taken back for a better
-- one only where it is the last by one column: so the digits of the time are turned round.
CREATE MATERIALIZED VIEW decision_reviewed AS
SELECT decision_id, verdict, note, actor, reviewed_at
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY decision_id ORDER BY sooner DESC) AS nth
  FROM (
    SELECT *, TRANSLATE(CAST(CAST(reviewed_at AS TIMESTAMP(3)) AS STRING),
      '0123456789', '9876543210') || '/' || event_id AS sooner
    FROM decision_review))
WHERE nth = 1;

-- Key: decision_id. The table `decision` has a row for each word on a decision: what was decided
-- (proposed, approved, rejected), and later perhaps that it was approved or carried out (applied).
-- What was decided is what the first word says, its status the one that goes furthest. A word that
-- comes twice counts once.
CREATE VIEW decision_word_rank AS
SELECT *,
  CAST(9 - word_rank AS STRING) || '/' || TRANSLATE(CAST(CAST(decided_at AS TIMESTAMP(3)) AS STRING),
    '0123456789', '9876543210') AS sooner
FROM (
  SELECT *, CASE status WHEN 'applied' THEN 5 WHEN 'expired' THEN 4 WHEN 'rejected' THEN 3
    WHEN 'approved' THEN 2 ELSE 1 END AS word_rank
  FROM decision);

CREATE MATERIALIZED VIEW decision_state AS
SELECT f.decision_id, f.decided_at, f.decision_type, f.subject_type, f.subject_id, f.sku,
  f.location_id, f.customer_id, f.campaign_id, f.quantity, f.amount, f.currency, f.action, f.policy,
  f.policy_version, f.model_version, f.data_age_ms, f.inputs, f.reasons, f.experiment, f.variant,
  f.propensity,
  CASE s.furthest WHEN 5 THEN 'applied' WHEN 4 THEN 'expired' WHEN 3 THEN 'rejected'
    WHEN 2 THEN 'approved' ELSE 'proposed' END AS status,
  f.actor, f.ext, r.verdict, r.actor AS reviewed_by, r.reviewed_at, r.note AS review_note
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY decision_id ORDER BY sooner DESC) AS nth
  FROM decision_word_rank) AS f
JOIN (
  SELECT decision_id, MAX(word_rank) AS furthest
  FROM (
    SELECT decision_id, word_rank FROM decision_word_rank
    UNION ALL
    -- At once: its word in `decision` comes with the next checkpoint.
    SELECT decision_id, CASE verdict WHEN 'reject' THEN 3 ELSE 2 END FROM decision_reviewed)
  GROUP BY decision_id) AS s
ON f.decision_id = s.decision_id
LEFT JOIN decision_reviewed AS r ON f.decision_id = r.decision_id
WHERE f.nth = 1;

-- How many there are.
CREATE MATERIALIZED VIEW decision_count AS
SELECT decision_type, COALESCE(experiment, policy, decision_type) AS experiment, variant, status,
  COUNT(*) AS decisions
FROM decision_state
GROUP BY decision_type, COALESCE(experiment, policy, decision_type), variant, status;

-- Until when what happens may have come from a decision. A rejected one is judged as long as one
-- that was carried out: who was held out is what the others are compared with.
CREATE VIEW decision_judged AS
SELECT decision_id, decision_type, COALESCE(experiment, policy, decision_type) AS experiment,
  variant, subject_id, sku, location_id, customer_id, campaign_id, decided_at,
  CASE decision_type
    WHEN 'recommend' THEN decided_at + INTERVAL '${DECISIONS_RECOMMEND_HOURS:-24}' HOUR(3)
    WHEN 'budget' THEN decided_at + INTERVAL '${DECISIONS_BUDGET_HOURS:-24}' HOUR(3)
    WHEN 'price' THEN decided_at + INTERVAL '${DECISIONS_PRICE_DAYS:-7}' DAY(3)
    WHEN 'replenish' THEN decided_at + INTERVAL '${DECISIONS_STOCK_DAYS:-14}' DAY(3)
    WHEN 'allocate' THEN decided_at + INTERVAL '${DECISIONS_STOCK_DAYS:-14}' DAY(3)
    ELSE decided_at + INTERVAL '${DECISIONS_CONTACT_DAYS:-14}' DAY(3)
  END AS judged_until
FROM decision_state;
