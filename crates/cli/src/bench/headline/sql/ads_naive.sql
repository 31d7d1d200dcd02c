-- Naive: twice the budget for every campaign.
CREATE MATERIALIZED VIEW naive_decision AS
SELECT
  'budget/' || b.campaign_id AS decision_id,
  CAST(c.now_hour AS TIMESTAMP_LTZ(3)) AS decided_at,
  'budget' AS decision_type, b.campaign_id,
  CAST(MIN(b.daily_budget) * 2 AS DECIMAL(18, 4)) AS amount, 'proposed' AS status
FROM ads_budget AS b
CROSS JOIN ads_clock AS c
GROUP BY b.campaign_id, c.now_hour;
