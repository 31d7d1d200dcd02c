-- Does the money last for the day, and should there be more of it, or less?

-- The newest word on how late it is; no clock is read.
CREATE VIEW ads_clock AS
SELECT MAX(`minute`) AS now_minute, CAST(MAX(`minute`) AS DATE) AS today,
  MAX(FLOOR(`minute` TO HOUR)) AS now_hour
FROM (SELECT FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS `minute` FROM ad_event);

-- A campaign's budget of a day is what was said last before the day began, or, of a new campaign,
-- what was said first. A budget that is changed during the day is in force from the next one on:
-- otherwise a decision would change its own ground.
CREATE VIEW ads_budget AS
SELECT campaign_id, `day`, daily_budget FROM (
  SELECT d.campaign_id, d.`day`, c.daily_budget,
    ROW_NUMBER() OVER (
      PARTITION BY d.campaign_id, d.`day`
      ORDER BY CASE WHEN CAST(c.updated_at AS TIMESTAMP(3)) < CAST(d.`day` AS TIMESTAMP(3))
        THEN 0 ELSE 1 END,
        ABS(TIMESTAMPDIFF(SECOND, CAST(c.updated_at AS TIMESTAMP(3)),
          CAST(d.`day` AS TIMESTAMP(3))))) AS nth
  FROM ads_by_campaign_day AS d
  JOIN campaign AS c ON d.campaign_id = c.campaign_id
  WHERE c.daily_budget IS NOT NULL)
WHERE nth = 1;

-- Today: what is spent of the budget, beside the share of the day that is gone.
--   exhausted  the budget is spent          under  less than its share, by ADS_PACE_TOLERANCE
--   over       more than its share          on_course  neither
CREATE MATERIALIZED VIEW ads_pacing AS
SELECT campaign_id, `day`, as_of, cost, daily_budget, spent_percent, day_gone_percent,
  CAST(cost * 100 / NULLIF(day_gone_percent, 0) AS DECIMAL(18, 2)) AS projected_cost,
  CASE
    WHEN cost >= daily_budget THEN 'exhausted'
    WHEN spent_percent > day_gone_percent * (1 + ${ADS_PACE_TOLERANCE:-0.2}) THEN 'over'
    WHEN spent_percent < day_gone_percent * (1 - ${ADS_PACE_TOLERANCE:-0.2}) THEN 'under'
    ELSE 'on_course'
  END AS pace,
  roas
FROM (
  SELECT d.campaign_id, d.`day`, c.now_minute AS as_of, d.cost, b.daily_budget, d.roas,
    CAST(100 * d.cost / NULLIF(b.daily_budget, 0) AS DECIMAL(18, 2)) AS spent_percent,
    CAST(100 * (EXTRACT(HOUR FROM c.now_minute) * 60 + EXTRACT(MINUTE FROM c.now_minute) + 1)
      / CAST(1440 AS DECIMAL(18, 4)) AS DECIMAL(18, 2)) AS day_gone_percent
  FROM ads_clock AS c
  JOIN ads_by_campaign_day AS d ON c.today = d.`day`
  JOIN ads_budget AS b ON d.campaign_id = b.campaign_id AND d.`day` = b.`day`);

-- There as long as a campaign spends too fast, or has nothing left.
CREATE MATERIALIZED VIEW ads_pacing_alert AS
SELECT campaign_id, `day`, pace, cost, daily_budget, spent_percent, day_gone_percent
FROM ads_pacing
WHERE pace IN ('exhausted', 'over');

-- What came in each hour. Here a conversion counts when it comes, not when its click was: what is
-- decided at the end of an hour must not change by what only came behind it.
CREATE VIEW ads_hour_known AS
SELECT campaign_id, `hour`, SUM(cost) AS cost, SUM(clicks) AS clicks, SUM(revenue) AS revenue
FROM (
  SELECT campaign_id, `hour`, cost, clicks, CAST(0 AS DECIMAL(18, 4)) AS revenue
  FROM ads_by_campaign_hour
  UNION ALL
  SELECT campaign_id, FLOOR(CAST(converted_at AS TIMESTAMP(3)) TO HOUR),
    CAST(0 AS DECIMAL(38, 6)), 0, CAST(amount AS DECIMAL(18, 4))
  FROM ads_conversion)
GROUP BY campaign_id, `hour`;

-- What was known at the end of each hour: the cost of the day so far, and what the last
-- ADS_JUDGE_DAYS days brought and cost, as a campaign with a few clicks a day cannot be judged by
-- one. An hour in which nothing came of a campaign has no row: nothing is decided in it.
CREATE VIEW ads_hour_so_far AS
SELECT h.campaign_id, h.`hour`, CAST(h.`hour` AS DATE) AS `day`,
  h.`hour` + INTERVAL '1' HOUR AS decided_at,
  SUM(CASE WHEN CAST(e.`hour` AS DATE) = CAST(h.`hour` AS DATE) THEN e.cost
    ELSE CAST(0 AS DECIMAL(38, 6)) END) AS cost,
  SUM(e.cost) AS judged_cost, SUM(e.clicks) AS clicks, SUM(e.revenue) AS revenue,
  EXTRACT(HOUR FROM h.`hour`) + 1 AS hours_gone
FROM ads_hour_known AS h
JOIN ads_hour_known AS e
ON h.campaign_id = e.campaign_id AND e.`hour` <= h.`hour`
  AND e.`hour` > TIMESTAMPADD(DAY, -${ADS_JUDGE_DAYS:-7}, h.`hour`)
GROUP BY h.campaign_id, h.`hour`;

-- The hours that are over.
CREATE VIEW ads_hour_over AS
SELECT s.* FROM ads_hour_so_far AS s
JOIN ads_clock AS c ON s.`day` = c.today AND s.`hour` < c.now_hour
UNION ALL
SELECT s.* FROM ads_hour_so_far AS s
JOIN (SELECT MAX(today) AS today FROM ads_clock) AS d ON s.`day` < d.today;

-- The newest event of each campaign and hour: how old the decision's input is.
CREATE VIEW ads_newest AS
SELECT campaign_id, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS `hour`,
  MAX(CAST(event_time AS TIMESTAMP(3))) AS newest
FROM ad_event
GROUP BY campaign_id, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR);

-- At most one change a campaign and day: at the end of the first hour in which a rule applies.
--   raise  it would spend more than the budget at this pace, and it pays (ADS_GOOD_ROAS): by
--          ADS_STEP, never above ADS_BUDGET_CAP
--   lower  it does not pay (ADS_POOR_ROAS): by ADS_STEP
-- Before ADS_LEAST_HOURS of the day and ADS_LEAST_CLICKS clicks within ADS_JUDGE_DAYS days nothing is
-- judged.
CREATE VIEW ads_budget_change AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY campaign_id, `day` ORDER BY decided_at) AS nth
  FROM (
    SELECT s.*, b.daily_budget,
      s.cost * 24 / s.hours_gone AS projected,
      CAST(s.revenue / NULLIF(s.judged_cost, 0) AS DECIMAL(18, 2)) AS roas,
      CASE
        WHEN s.revenue < s.judged_cost * ${ADS_POOR_ROAS:-1} THEN 'lower'
        WHEN s.revenue >= s.judged_cost * ${ADS_GOOD_ROAS:-4}
          AND s.cost * 24 / s.hours_gone > b.daily_budget
          AND b.daily_budget < ${ADS_BUDGET_CAP:-1000} THEN 'raise'
      END AS rule
    FROM ads_hour_over AS s
    JOIN ads_budget AS b ON s.campaign_id = b.campaign_id AND s.`day` = b.`day`
    WHERE s.hours_gone >= ${ADS_LEAST_HOURS:-6} AND s.clicks >= ${ADS_LEAST_CLICKS:-20}
      AND s.judged_cost > 0 AND b.daily_budget > 0)
  WHERE rule IS NOT NULL)
WHERE nth = 1;

-- Rows that may be applied are `proposed`; those of the hold-out, and those whose newest event is
-- too old, are `rejected`, and say why. The subject is a campaign's day: with a handful of campaigns
-- some would otherwise never be steered at all.
CREATE MATERIALIZED VIEW ads_decision AS
SELECT
  'budget/' || campaign_id || '/' || CAST(`day` AS STRING) AS decision_id,
  CAST(decided_at AS TIMESTAMP_LTZ(3)) AS decided_at,
  'budget' AS decision_type,
  'campaign_day' AS subject_type,
  campaign_id || '/' || CAST(`day` AS STRING) AS subject_id,
  CAST(NULL AS STRING) AS sku,
  CAST(NULL AS STRING) AS location_id,
  CAST(NULL AS STRING) AS customer_id,
  campaign_id,
  CAST(NULL AS DECIMAL(18, 4)) AS quantity,
  new_budget AS amount,
  CAST(NULL AS STRING) AS currency,
  JSON_OBJECT(KEY 'campaign_id' VALUE campaign_id, KEY 'rule' VALUE rule,
    KEY 'daily_budget' VALUE CAST(new_budget AS STRING),
    KEY 'was' VALUE CAST(CAST(daily_budget AS DECIMAL(18, 4)) AS STRING)) AS action,
  'budget_pacing' AS policy,
  '2' AS policy_version,
  CAST(NULL AS STRING) AS model_version,
  age_seconds * CAST(1000 AS BIGINT) AS data_age_ms,
  JSON_OBJECT(KEY 'cost' VALUE CAST(CAST(cost AS DECIMAL(18, 4)) AS STRING),
    KEY 'judged_cost' VALUE CAST(CAST(judged_cost AS DECIMAL(18, 4)) AS STRING),
    KEY 'revenue' VALUE CAST(CAST(revenue AS DECIMAL(18, 4)) AS STRING),
    KEY 'clicks' VALUE clicks, KEY 'hours_gone' VALUE hours_gone) AS inputs,
  JSON_ARRAY(
    'after ' || CAST(hours_gone AS STRING) || ' hours of the day '
      || CAST(CAST(cost AS DECIMAL(18, 2)) AS STRING) || ' of '
      || CAST(CAST(daily_budget AS DECIMAL(18, 2)) AS STRING) || ' is spent; at this pace it is '
      || CAST(CAST(projected AS DECIMAL(18, 2)) AS STRING) || ' for the day',
    CASE rule
      WHEN 'raise' THEN 'in ${ADS_JUDGE_DAYS:-7} days it brought ' || CAST(roas AS STRING)
        || ' for each 1 spent, and from ${ADS_GOOD_ROAS:-4} on more is spent'
      ELSE 'in ${ADS_JUDGE_DAYS:-7} days it brought ' || CAST(roas AS STRING)
        || ' for each 1 spent, and below ${ADS_POOR_ROAS:-1} less is spent'
    END,
    CASE WHEN stale THEN 'refused: the newest event is '
      || CAST(age_seconds / 60 AS STRING) || ' minutes old' END,
    CASE WHEN held_out THEN 'held out: the budget stays, to see what the change brings' END
  ) AS reasons,
  'budget_pacing' AS experiment,
  CASE WHEN held_out THEN 'hold_out' ELSE 'policy' END AS variant,
  CASE WHEN held_out THEN CAST(${ADS_HOLD_OUT:-10} AS DOUBLE) / 100
    ELSE 1 - CAST(${ADS_HOLD_OUT:-10} AS DOUBLE) / 100 END AS propensity,
  CASE WHEN stale OR held_out THEN 'rejected' ELSE 'proposed' END AS status,
  'pack ads' AS actor,
  CAST(NULL AS STRING) AS ext
FROM (
  SELECT c.*,
    CAST(CASE c.rule
      WHEN 'raise' THEN LEAST(c.daily_budget * (1 + ${ADS_STEP:-0.2}), ${ADS_BUDGET_CAP:-1000})
      ELSE c.daily_budget * (1 - ${ADS_STEP:-0.2})
    END AS DECIMAL(18, 4)) AS new_budget,
    TIMESTAMPDIFF(SECOND, n.newest, c.decided_at) AS age_seconds,
    TIMESTAMPDIFF(SECOND, n.newest, c.decided_at) > ${ADS_STALE_MINUTES:-30} * 60 AS stale,
    MOD(CAST(CONV(SUBSTRING(MD5('budget_pacing' || '/' || c.campaign_id || '/'
      || CAST(c.`day` AS STRING)), 1, 7), 16, 10) AS BIGINT), 100)
      < ${ADS_HOLD_OUT:-10} AS held_out
  FROM ads_budget_change AS c
  JOIN ads_newest AS n ON c.campaign_id = n.campaign_id AND c.`hour` = n.`hour`);
