-- To which campaigns is a purchase owed? All clicks on ads of the buyer in the days before it are
-- touches; four models share the revenue out among them:
--
--   first     all to the first touch          linear    the same to each
--   last      all to the last one             position  40 % to the first, 40 % to the last, 20 %
--                                                       to those between (of two: half and half)
--
-- Shares are rounded to four digits and the last touch takes what is left, so that each model adds
-- up to the revenue to the last digit. A purchase without a touch is owed to `none`.

CREATE VIEW ads_purchase AS
SELECT transaction_id, MIN(event_time) AS bought_at, MAX(customer_id) AS customer_id,
  CAST(SUM(line_total) AS DECIMAL(18, 4)) AS revenue
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY transaction_id, line_no ORDER BY event_time DESC) AS nth
  FROM sale_line)
WHERE nth = 1 AND txn_type IN ('sale', 'void') AND line_type IN ('item', 'gift', 'discount')
GROUP BY transaction_id
HAVING SUM(line_total) > 0;

-- Whose browser is it? The customer who was logged in on it last.
CREATE VIEW ads_browser AS
SELECT anonymous_id, customer_id FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY anonymous_id ORDER BY event_time DESC) AS nth
  FROM behavior_event
  WHERE anonymous_id IS NOT NULL AND customer_id IS NOT NULL)
WHERE nth = 1;

CREATE VIEW ads_touch AS
SELECT e.event_id, e.event_time AS touched_at, e.campaign_id,
  COALESCE(e.customer_id, b.customer_id) AS customer_id
FROM (
  SELECT * FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
    FROM ad_event
    WHERE kind = 'click')
  WHERE nth = 1) AS e
LEFT JOIN ads_browser AS b ON e.anonymous_id = b.anonymous_id;

-- The last touches before the purchase, counted backwards, and how many they are.
CREATE VIEW ads_path AS
SELECT * FROM (
  SELECT p.transaction_id, p.bought_at, p.revenue, t.event_id, t.touched_at, t.campaign_id,
    ROW_NUMBER() OVER (
      PARTITION BY p.transaction_id ORDER BY t.touched_at DESC, t.event_id DESC) AS from_last
  FROM ads_purchase AS p
  JOIN ads_touch AS t
  ON p.customer_id = t.customer_id
    AND t.touched_at BETWEEN p.bought_at - INTERVAL '${ADS_LOOKBACK_DAYS:-7}' DAY AND p.bought_at)
WHERE from_last <= ${ADS_MOST_TOUCHES:-20};

CREATE MATERIALIZED VIEW ads_touch_credit AS
SELECT transaction_id, event_id, campaign_id, bought_at, touched_at, touch_no, touches, revenue,
  CASE WHEN touch_no = 1 THEN revenue ELSE 0 END AS first_credit,
  CASE WHEN touch_no = touches THEN revenue ELSE 0 END AS last_credit,
  CAST(CASE WHEN touch_no = touches THEN revenue - (touches - 1) * even ELSE even END
    AS DECIMAL(18, 4)) AS linear_credit,
  CAST(CASE
    WHEN touches = 1 THEN revenue
    WHEN touches = 2 THEN CASE touch_no WHEN 1 THEN half ELSE revenue - half END
    WHEN touch_no = 1 THEN ends
    WHEN touch_no = touches THEN revenue - ends - (touches - 2) * between_ends
    ELSE between_ends
  END AS DECIMAL(18, 4)) AS position_credit
FROM (
  SELECT p.*, n.touches, n.touches - p.from_last + 1 AS touch_no,
    CAST(ROUND(p.revenue / n.touches, 4) AS DECIMAL(18, 4)) AS even,
    CAST(ROUND(p.revenue / 2, 4) AS DECIMAL(18, 4)) AS half,
    CAST(ROUND(p.revenue * 0.4, 4) AS DECIMAL(18, 4)) AS ends,
    CAST(ROUND(p.revenue * 0.2 / NULLIF(n.touches - 2, 0), 4) AS DECIMAL(18, 4)) AS between_ends
  FROM ads_path AS p
  JOIN (SELECT transaction_id, COUNT(*) AS touches FROM ads_path GROUP BY transaction_id) AS n
  ON p.transaction_id = n.transaction_id);

-- What each model owes to each campaign, by the day of the purchase.
CREATE MATERIALIZED VIEW ads_attribution AS
SELECT CAST(CAST(bought_at AS TIMESTAMP(3)) AS DATE) AS `day`, model, campaign_id,
  CAST(SUM(credit) AS DECIMAL(18, 4)) AS revenue,
  COUNT(DISTINCT transaction_id) AS purchases
FROM (
  SELECT c.transaction_id, c.bought_at, c.campaign_id, m.model_name AS model,
    CASE m.model_name
      WHEN 'first' THEN c.first_credit
      WHEN 'last' THEN c.last_credit
      WHEN 'linear' THEN c.linear_credit
      ELSE c.position_credit
    END AS credit
  FROM (
    SELECT transaction_id, bought_at, campaign_id, first_credit, last_credit, linear_credit,
      position_credit
    FROM ads_touch_credit
    UNION ALL
    SELECT p.transaction_id, p.bought_at, 'none', p.revenue, p.revenue, p.revenue, p.revenue
    FROM ads_purchase AS p
    LEFT JOIN ads_path AS t ON p.transaction_id = t.transaction_id AND t.from_last = 1
    WHERE t.transaction_id IS NULL) AS c
  CROSS JOIN (VALUES ('first'), ('last'), ('linear'), ('position')) AS m (model_name))
WHERE credit > 0
GROUP BY CAST(CAST(bought_at AS TIMESTAMP(3)) AS DATE), model, campaign_id;
