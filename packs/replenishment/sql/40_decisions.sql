-- Proposals: at most one for a SKU, a place and a day; it follows the stock of the day.

-- The hour that it is, by the events themselves, and how many hours the newest movement is older:
-- where tills sell and nothing moves, nobody knows what is there.
CREATE VIEW replenishment_now AS
SELECT now_hour, TIMESTAMPDIFF(HOUR, stock_hour, now_hour) AS age_hours
FROM (
  SELECT MAX(at_hour) AS now_hour, MAX(CASE WHEN feed = 'stock' THEN at_hour END) AS stock_hour
  FROM (
    SELECT 'stock' AS feed, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS at_hour
    FROM stock_movement
    UNION ALL
    SELECT 'sales' AS feed, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS at_hour
    FROM sale_line));

-- A tenth of all articles is left to whatever was done before, so that it can be compared.
CREATE VIEW replenishment_variant AS
SELECT sku, location_id,
  CASE
    WHEN MOD(CAST(CONV(SUBSTRING(MD5('replenishment' || '/' || sku), 1, 7), 16, 10)
      AS BIGINT), 100) < ${REPLENISHMENT_HOLD_OUT:-10} THEN 'hold_out'
    ELSE 'policy'
  END AS variant
FROM replenishment_policy;

CREATE MATERIALIZED VIEW replenishment_decision AS
SELECT
  d.decision_type || ':' || d.sku || ':' || d.location_id || ':' || CAST(d.today AS STRING)
    AS decision_id,
  CAST(n.now_hour AS TIMESTAMP_LTZ(3)) AS decided_at,
  d.decision_type,
  'sku' AS subject_type,
  d.sku AS subject_id,
  d.sku,
  d.location_id,
  CAST(NULL AS STRING) AS customer_id,
  CAST(NULL AS STRING) AS campaign_id,
  d.quantity,
  CAST(NULL AS DECIMAL(18, 4)) AS amount,
  CAST(NULL AS STRING) AS currency,
  d.action,
  'replenishment' AS policy,
  '1' AS policy_version,
  CAST(NULL AS STRING) AS model_version,
  n.age_hours * CAST(3600000 AS BIGINT) AS data_age_ms,
  JSON_OBJECT(KEY 'stock_position' VALUE CAST(p.stock_position AS STRING),
    KEY 'units_a_day' VALUE CAST(p.units_a_day AS STRING), KEY 'lead_days' VALUE p.lead_days,
    KEY 'reorder_point' VALUE CAST(p.reorder_point AS STRING),
    KEY 'order_up_to' VALUE CAST(p.order_up_to AS STRING)) AS inputs,
  JSON_ARRAY(
    d.reason_1, d.reason_2, d.reason_3, d.reason_4,
    CASE WHEN n.age_hours > ${REPLENISHMENT_STALE_HOURS:-24} THEN 'refused: the newest movement is '
      || CAST(n.age_hours AS STRING) || ' hours older than the newest sale' END,
    CASE WHEN v.variant = 'hold_out' THEN 'held out: ordered as before, to see what this brings' END
  ) AS reasons,
  'replenishment' AS experiment,
  v.variant,
  CASE WHEN v.variant = 'policy'
    THEN 1 - CAST(${REPLENISHMENT_HOLD_OUT:-10} AS DOUBLE) / 100 ELSE CAST(${REPLENISHMENT_HOLD_OUT:-10} AS DOUBLE) / 100
  END AS propensity,
  CASE WHEN v.variant = 'policy' AND n.age_hours <= ${REPLENISHMENT_STALE_HOURS:-24}
    THEN 'proposed' ELSE 'rejected' END AS status,
  'pack replenishment' AS actor,
  CAST(NULL AS STRING) AS ext
FROM (
  SELECT
    'replenish' AS decision_type, sku, location_id, today,
    CAST(quantity AS DECIMAL(18, 4)) AS quantity,
    JSON_OBJECT(KEY 'supplier_id' VALUE supplier_id, KEY 'pack_size' VALUE pack_size) AS action,
    CAST(stock_position AS STRING)
      || ' pieces here and on order are at or below the reorder point of '
      || CAST(reorder_point AS STRING) AS reason_1,
    CAST(units_a_day AS STRING) || ' are sold a day, of the last ' || CAST(days AS STRING)
      || ' days' AS reason_2,
    CAST(lead_days AS STRING) || ' days until ' || supplier_id || ' delivers' AS reason_3,
    'order up to ' || CAST(order_up_to AS STRING) || ', in packs of '
      || CAST(pack_size AS STRING) AS reason_4
  FROM replenishment_need
  WHERE supplied_from IS NULL
  UNION ALL
  SELECT
    'allocate' AS decision_type, t.sku, t.location_id, p.today,
    CAST(t.quantity AS DECIMAL(18, 4)) AS quantity,
    JSON_OBJECT(KEY 'from_location_id' VALUE t.from_location_id) AS action,
    CAST(p.stock_position AS STRING)
      || ' pieces here and on the way are at or below the reorder point of '
      || CAST(p.reorder_point AS STRING),
    CAST(p.units_a_day AS STRING) || ' are sold a day, of the last ' || CAST(p.days AS STRING)
      || ' days',
    t.from_location_id || ' can give ' || CAST(t.quantity AS STRING) || ' of '
      || CAST(t.asked AS STRING),
    CAST(NULL AS STRING)
  FROM replenishment_transfer AS t
  JOIN replenishment_policy AS p ON t.sku = p.sku AND t.location_id = p.location_id
) AS d
JOIN replenishment_policy AS p ON d.sku = p.sku AND d.location_id = p.location_id
JOIN replenishment_variant AS v ON d.sku = v.sku AND d.location_id = v.location_id
CROSS JOIN replenishment_now AS n;
