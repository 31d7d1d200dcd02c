-- What is shown to whom: a row of model.decision for each customer who is in the shop today, with
-- the articles of one list. The hold-out is shown what is popular, so that one can see what a list
-- of one's own brings. The same is shown where a list cannot be trusted, or where there is none.

-- The hour that it is, by the events themselves, and how old sales and stock are by it.
CREATE VIEW recommend_now AS
SELECT CAST(now_hour AS DATE) AS today,
  TIMESTAMPDIFF(HOUR, sales_hour, now_hour) AS sales_age_hours,
  TIMESTAMPDIFF(HOUR, stock_hour, now_hour) AS stock_age_hours
FROM (
  SELECT MAX(at_hour) AS now_hour, MAX(CASE WHEN feed = 'sales' THEN at_hour END) AS sales_hour,
    MAX(CASE WHEN feed = 'stock' THEN at_hour END) AS stock_hour
  FROM (
    SELECT 'steps' AS feed, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS at_hour
    FROM behavior_event
    UNION ALL
    SELECT 'sales' AS feed, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS at_hour
    FROM sale_line
    UNION ALL
    SELECT 'stock' AS feed, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS at_hour
    FROM stock_movement));

-- Who is in the shop today, since when, and which list is shown: `popular`, or the one that
-- RECOMMEND_DECISION_LIST names.
CREATE VIEW recommend_visitor AS
SELECT v.*,
  CASE
    WHEN v.held_out OR v.stale OR l.customer_id IS NULL THEN 'popular'
    ELSE '${RECOMMEND_DECISION_LIST:-buy_again}'
  END AS list_id,
  l.customer_id IS NULL AS newcomer
FROM (
  SELECT s.customer_id, s.`day`, s.seen_at, n.sales_age_hours, n.stock_age_hours,
    COALESCE(n.sales_age_hours, 24 * 365) > ${RECOMMEND_STALE_HOURS:-24} AS stale,
    MOD(CAST(CONV(SUBSTRING(MD5('recommend' || '/' || s.customer_id), 1, 7), 16, 10) AS BIGINT),
      100) < ${RECOMMEND_HOLD_OUT:-10} AS held_out
  FROM (
    SELECT customer_id, CAST(event_time AS DATE) AS `day`, MIN(event_time) AS seen_at
    FROM behavior_event
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id, CAST(event_time AS DATE)) AS s
  JOIN recommend_now AS n ON s.`day` = n.today) AS v
LEFT JOIN (
  SELECT DISTINCT customer_id FROM recommend_customer_list
  WHERE list_id = '${RECOMMEND_DECISION_LIST:-buy_again}') AS l ON v.customer_id = l.customer_id;

-- The articles in their order: {"01": "tea", "02": "pot"}, and why each is there.
CREATE VIEW recommend_shown AS
SELECT customer_id, COUNT(*) AS articles,
  JSON_OBJECTAGG(KEY LPAD(CAST(place AS STRING), 2, '0') VALUE sku) AS items,
  JSON_OBJECTAGG(KEY sku VALUE reason) AS why
FROM (
  SELECT v.customer_id, c.place, c.sku, c.reason
  FROM recommend_visitor AS v
  JOIN recommend_customer_list AS c ON v.customer_id = c.customer_id AND v.list_id = c.list_id
  UNION ALL
  SELECT v.customer_id, p.place, p.sku, 'Popular: number ' || CAST(p.place AS STRING)
  FROM recommend_visitor AS v
  CROSS JOIN recommend_popular AS p
  WHERE v.list_id = 'popular' AND p.place <= ${RECOMMEND_N:-10})
GROUP BY customer_id;

-- Key: decision_id. One for a customer and a day; it follows the list.
CREATE MATERIALIZED VIEW recommend_decision AS
SELECT
  'recommend/' || v.customer_id || '/' || CAST(v.`day` AS STRING) AS decision_id,
  v.seen_at AS decided_at,
  'recommend' AS decision_type,
  'customer' AS subject_type,
  v.customer_id AS subject_id,
  CAST(NULL AS STRING) AS sku,
  CAST(NULL AS STRING) AS location_id,
  v.customer_id,
  CAST(NULL AS STRING) AS campaign_id,
  CAST(s.articles AS DECIMAL(18, 4)) AS quantity,
  CAST(NULL AS DECIMAL(18, 4)) AS amount,
  CAST(NULL AS STRING) AS currency,
  s.items AS action,
  'recommend_' || v.list_id AS policy,
  '1' AS policy_version,
  CAST(NULL AS STRING) AS model_version,
  GREATEST(COALESCE(v.sales_age_hours, 24 * 365), COALESCE(v.stock_age_hours, 0))
    * CAST(3600000 AS BIGINT) AS data_age_ms,
  s.why AS inputs,
  JSON_ARRAY(
    CAST(s.articles AS STRING) || ' articles of the list ' || v.list_id
      || '; inputs say why each is there',
    CASE WHEN v.newcomer THEN 'the customer has no list of its own yet' END,
    CASE WHEN v.stale THEN 'degraded to what is popular: '
      || COALESCE('the newest sale is ' || CAST(v.sales_age_hours AS STRING) || ' hours old',
        'no sale is known') || ', so that what was just bought cannot be left out' END,
    CASE WHEN v.stock_age_hours > ${RECOMMEND_STALE_HOURS:-24} THEN 'degraded: the newest movement'
      || ' of stock is ' || CAST(v.stock_age_hours AS STRING)
      || ' hours old, so that an article may be out of stock' END,
    CASE WHEN v.held_out THEN 'held out: what is popular, to see what a list of its own brings' END
  ) AS reasons,
  'recommend' AS experiment,
  CASE WHEN v.held_out THEN 'hold_out' ELSE 'policy' END AS variant,
  CASE WHEN v.held_out THEN CAST(${RECOMMEND_HOLD_OUT:-10} AS DOUBLE) / 100
    ELSE 1 - CAST(${RECOMMEND_HOLD_OUT:-10} AS DOUBLE) / 100 END AS propensity,
  'proposed' AS status,
  'pack recommend' AS actor,
  CAST(NULL AS STRING) AS ext
FROM recommend_visitor AS v
JOIN recommend_shown AS s ON v.customer_id = s.customer_id;
