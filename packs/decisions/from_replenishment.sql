-- The decisions of the pack `replenishment`: orders and transfers.
INSERT INTO decision_draft (
  decision_id, decided_at, decision_type, subject_type, subject_id, sku, location_id,
  customer_id, campaign_id, quantity, amount, currency, action, policy, policy_version,
  model_version, data_age_ms, inputs, reasons, experiment, variant, propensity, status, actor,
  ext)
SELECT
  decision_id, decided_at, decision_type, subject_type, subject_id, sku, location_id,
  customer_id, campaign_id, quantity, amount, currency, action, policy, policy_version,
  model_version, data_age_ms, inputs, reasons, experiment, variant, propensity, status, actor,
  ext
FROM replenishment_decision;
