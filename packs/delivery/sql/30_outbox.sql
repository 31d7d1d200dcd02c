-- What is approved goes into the outbox, and what has expired beside it, with the reason. The minute
-- that it is goes into the same log, so that there is always a next record behind a message.
INSERT INTO delivery_draft
SELECT decision_id, customer_id, decided_at, send_at, decision_type, amount, currency, action,
  policy, experiment, variant, propensity,
  CASE WHEN status = 'expired' THEN suppressed_because END
FROM delivery_contact
WHERE status IN ('approved', 'expired');

INSERT INTO delivery_draft (decision_id, send_at)
SELECT 'clock', CAST(MAX(now_minute) AS TIMESTAMP_LTZ(3)) FROM delivery_clock
WHERE now_minute IS NOT NULL
HAVING MAX(now_minute) IS NOT NULL;
