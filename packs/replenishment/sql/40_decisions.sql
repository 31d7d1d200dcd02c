-- Proposals: at most one for a SKU, a place and a day; it follows the stock of the day.

-- A tenth of all articles is left to whatever was done before, so that it can be compared.
CREATE VIEW replenishment_variant AS
SELECT sku, location_id,
  CASE
    WHEN MOD(CAST(CONV(SUBSTRING(MD5('replenishment' || sku), 1, 7), 16, 10) AS BIGINT), 100)
      < ${HOLD_OUT:-10} THEN 'hold_out'
    ELSE 'policy'
  END AS variant
FROM replenishment_policy;

CREATE MATERIALIZED VIEW replenishment_decision AS
SELECT
  d.decision_type || ':' || d.sku || ':' || d.location_id || ':' || CAST(d.today AS STRING)
    AS decision_id,
  CAST(d.today AS TIMESTAMP(3)) AS decided_at,
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
  CAST(0 AS BIGINT) AS data_age_ms,
  d.reasons,
  'replenishment' AS experiment,
  v.variant,
  CASE WHEN v.variant = 'policy'
    THEN 1 - CAST(${HOLD_OUT:-10} AS DOUBLE) / 100 ELSE CAST(${HOLD_OUT:-10} AS DOUBLE) / 100
  END AS propensity,
  CASE WHEN v.variant = 'policy' THEN 'proposed' ELSE 'rejected' END AS status,
  'rialto' AS actor
FROM (
  SELECT
    'replenish' AS decision_type, sku, location_id, today,
    CAST(quantity AS DECIMAL(18, 4)) AS quantity,
    JSON_OBJECT(KEY 'supplier_id' VALUE supplier_id, KEY 'pack_size' VALUE pack_size) AS action,
    JSON_ARRAY(
      CAST(stock_position AS STRING)
        || ' pieces here and on order are at or below the reorder point of '
        || CAST(reorder_point AS STRING),
      CAST(units_a_day AS STRING) || ' are sold a day, of the last ' || CAST(days AS STRING)
        || ' days',
      CAST(lead_days AS STRING) || ' days until ' || supplier_id || ' delivers',
      'order up to ' || CAST(order_up_to AS STRING) || ', in packs of ' || CAST(pack_size AS STRING)
    ) AS reasons
  FROM replenishment_need
  WHERE supplied_from IS NULL
  UNION ALL
  SELECT
    'allocate' AS decision_type, t.sku, t.location_id, p.today,
    CAST(t.quantity AS DECIMAL(18, 4)) AS quantity,
    JSON_OBJECT(KEY 'from_location_id' VALUE t.from_location_id) AS action,
    JSON_ARRAY(
      CAST(p.stock_position AS STRING)
        || ' pieces here and on the way are at or below the reorder point of '
        || CAST(p.reorder_point AS STRING),
      CAST(p.units_a_day AS STRING) || ' are sold a day, of the last ' || CAST(p.days AS STRING)
        || ' days',
      t.from_location_id || ' can give ' || CAST(t.quantity AS STRING) || ' of '
        || CAST(t.asked AS STRING)
    ) AS reasons
  FROM replenishment_transfer AS t
  JOIN replenishment_policy AS p ON t.sku = p.sku AND t.location_id = p.location_id
) AS d
JOIN replenishment_variant AS v ON d.sku = v.sku AND d.location_id = v.location_id;
