-- Each message of the outbox as a word `applied` in the table `decision`: it was carried out. For a
-- shop that reads its decisions there, such as the simulated one.
INSERT INTO decision (
  decision_id, decided_at, decision_type, subject_type, subject_id, customer_id, amount, currency,
  action, policy, experiment, variant, propensity, status, actor)
SELECT decision_id, decided_at, decision_type, 'customer', customer_id, customer_id, amount, currency,
  action, policy, experiment, variant, propensity, 'applied', 'pack delivery'
FROM delivery_outbox;
