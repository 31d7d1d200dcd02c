-- Ad events, each once, and how an impression led to a click and a click to a conversion.

-- The first of an event counts; one that comes behind the watermark is reported as late.
CREATE VIEW ads_event_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time) AS nth
  FROM ad_event)
WHERE nth = 1;
SET 'rialto.share.ads_event_once' = 'true';

-- What is paid is said by the impression, or by an event `cost`; `win` says it too, for nothing.
CREATE VIEW ads_impression AS
SELECT event_time, campaign_id, imp_id,
  CASE kind WHEN 'impression' THEN 1 ELSE 0 END AS impressions,
  COALESCE(price_micros, 0) / CAST(1000000 AS DECIMAL(18, 4)) AS cost
FROM ads_event_once
WHERE kind IN ('impression', 'cost');

-- Clicks beside the impression that they belong to: one that has none, or one that is too old,
-- is no click of the campaign (a robot, a link that was passed on).
CREATE VIEW ads_click AS
SELECT c.event_time, c.campaign_id, c.click_id, c.anonymous_id, c.customer_id,
  i.imp_id IS NOT NULL AS matched
FROM (SELECT * FROM ads_event_once WHERE kind = 'click') AS c
LEFT JOIN (SELECT * FROM ads_event_once WHERE kind = 'impression') AS i
ON c.imp_id = i.imp_id
  AND i.event_time BETWEEN c.event_time - INTERVAL '${ADS_CLICK_HOURS:-24}' HOUR AND c.event_time;
SET 'rialto.share.ads_click' = 'true';

-- Conversions, booked at the moment of their click: what was paid then is what they came of.
CREATE VIEW ads_conversion AS
SELECT c.event_time, v.event_time AS converted_at, c.campaign_id,
  COALESCE(v.conversion_value, 0) AS amount
FROM (SELECT * FROM ads_event_once WHERE kind = 'conversion') AS v
JOIN (SELECT * FROM ads_event_once WHERE kind = 'click') AS c
ON v.click_id = c.click_id
  AND c.event_time BETWEEN v.event_time - INTERVAL '${ADS_CONVERSION_DAYS:-7}' DAY
    AND v.event_time;
