-- How many decisions of each kind there are, and what becomes of them.
CREATE MATERIALIZED VIEW decisions_today AS
SELECT decision_type, status, COUNT(*) AS decisions
FROM (
  SELECT decision_type, status FROM replenishment_decision
  UNION ALL
  SELECT decision_type, status FROM pricing_decision
  UNION ALL
  SELECT decision_type, status FROM behavior_decision
)
GROUP BY decision_type, status;
