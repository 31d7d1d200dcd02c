-- Each message that will never leave any more as a word `expired` in the table `decision`, with the
-- reason: so `decision_state`, and whoever looks there, knows what became of it. For a project whose
-- `decision` can be written.
INSERT INTO decision (
  decision_id, decided_at, decision_type, subject_type, subject_id, customer_id, amount, currency,
  action, policy, reasons, experiment, variant, propensity, status, actor)
SELECT decision_id, decided_at, decision_type, 'customer', customer_id, customer_id, amount, currency,
  action, policy, JSON_ARRAY(unsent_because), experiment, variant, propensity, 'expired',
  'pack delivery'
FROM delivery_unsent;
