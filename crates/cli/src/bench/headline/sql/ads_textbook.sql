-- Textbook: what brought less than it cost yesterday gets a tenth less, what brought more than three
-- times as much a tenth more.
CREATE MATERIALIZED VIEW textbook_decision AS
SELECT
  'budget/' || d.campaign_id || '/' || CAST(c.today AS STRING) AS decision_id,
  CAST(CAST(c.today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'budget' AS decision_type, d.campaign_id,
  CAST(b.daily_budget * CASE WHEN d.roas > 3 THEN 1.1 ELSE 0.9 END AS DECIMAL(18, 4)) AS amount,
  'proposed' AS status
FROM ads_clock AS c
JOIN ads_by_campaign_day AS d ON TIMESTAMPDIFF(DAY, d.`day`, c.today) = 1
JOIN ads_budget AS b ON b.campaign_id = d.campaign_id AND b.`day` = d.`day`
WHERE d.roas > 3 OR d.roas < 1;
