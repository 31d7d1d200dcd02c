-- What does a campaign cost, and what does it bring?
--
-- ctr_percent  clicks in percent of impressions     cpc   cost of a click
-- cvr_percent  conversions in percent of clicks     roas  value of conversions over cost
-- They are NULL where there is nothing to divide by. Conversions count in the hour of their click.

CREATE MATERIALIZED VIEW ads_by_campaign_hour AS
SELECT campaign_id, `hour`, impressions, clicks, unmatched_clicks, conversions, cost, revenue,
  CAST(100 * clicks / CAST(NULLIF(impressions, 0) AS DECIMAL(18, 0)) AS DECIMAL(18, 4))
    AS ctr_percent,
  CAST(100 * conversions / CAST(NULLIF(clicks, 0) AS DECIMAL(18, 0)) AS DECIMAL(18, 4))
    AS cvr_percent,
  CAST(cost / NULLIF(clicks, 0) AS DECIMAL(18, 4)) AS cpc,
  CAST(revenue / NULLIF(cost, 0) AS DECIMAL(18, 4)) AS roas
FROM (
  SELECT campaign_id, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS `hour`,
    SUM(impressions) AS impressions, SUM(clicks) AS clicks,
    SUM(unmatched_clicks) AS unmatched_clicks, SUM(conversions) AS conversions,
    CAST(SUM(cost) AS DECIMAL(18, 6)) AS cost, CAST(SUM(revenue) AS DECIMAL(18, 4)) AS revenue
  FROM (
    SELECT event_time, campaign_id, impressions, 0 AS clicks, 0 AS unmatched_clicks,
      0 AS conversions, CAST(cost AS DECIMAL(18, 6)) AS cost,
      CAST(0 AS DECIMAL(18, 4)) AS revenue
    FROM ads_impression
    UNION ALL
    SELECT event_time, campaign_id, 0, CASE WHEN matched THEN 1 ELSE 0 END,
      CASE WHEN matched THEN 0 ELSE 1 END, 0, CAST(0 AS DECIMAL(18, 6)),
      CAST(0 AS DECIMAL(18, 4))
    FROM ads_click
    UNION ALL
    SELECT event_time, campaign_id, 0, 0, 0, 1, CAST(0 AS DECIMAL(18, 6)),
      CAST(amount AS DECIMAL(18, 4))
    FROM ads_conversion)
  GROUP BY campaign_id, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR));

CREATE MATERIALIZED VIEW ads_by_campaign_day AS
SELECT campaign_id, `day`, impressions, clicks, unmatched_clicks, conversions, cost, revenue,
  CAST(100 * clicks / CAST(NULLIF(impressions, 0) AS DECIMAL(18, 0)) AS DECIMAL(18, 4))
    AS ctr_percent,
  CAST(100 * conversions / CAST(NULLIF(clicks, 0) AS DECIMAL(18, 0)) AS DECIMAL(18, 4))
    AS cvr_percent,
  CAST(cost / NULLIF(clicks, 0) AS DECIMAL(18, 4)) AS cpc,
  CAST(revenue / NULLIF(cost, 0) AS DECIMAL(18, 4)) AS roas
FROM (
  SELECT campaign_id, CAST(`hour` AS DATE) AS `day`,
    SUM(impressions) AS impressions, SUM(clicks) AS clicks,
    SUM(unmatched_clicks) AS unmatched_clicks, SUM(conversions) AS conversions,
    SUM(cost) AS cost, SUM(revenue) AS revenue
  FROM ads_by_campaign_hour
  GROUP BY campaign_id, CAST(`hour` AS DATE));
