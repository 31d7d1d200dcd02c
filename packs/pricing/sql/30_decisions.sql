-- Proposals: at most one for a SKU and a day, none while the last change is fresh. Small changes
-- are approved; one of more than APPROVE_STEP waits for somebody. `decided_at` is the hour it is: the
-- row is said again every hour for as long as the rule speaks.
CREATE MATERIALIZED VIEW pricing_decision AS
SELECT
  'price:' || sku || ':' || CAST(today AS STRING) AS decision_id,
  CAST(now_hour AS TIMESTAMP_LTZ(3)) AS decided_at,
  'price' AS decision_type,
  'sku' AS subject_type,
  sku AS subject_id,
  sku,
  CAST(NULL AS STRING) AS location_id,
  CAST(NULL AS STRING) AS customer_id,
  CAST(NULL AS STRING) AS campaign_id,
  CAST(NULL AS DECIMAL(18, 4)) AS quantity,
  CAST(new_price AS DECIMAL(18, 4)) AS amount,
  currency,
  JSON_OBJECT(
    KEY 'rule' VALUE rule, KEY 'was' VALUE CAST(price AS STRING),
    KEY 'announce_from' VALUE
      CASE WHEN new_price < lowest_30_days THEN CAST(lowest_30_days AS STRING) END
    ABSENT ON NULL
  ) AS action,
  'pricing' AS policy,
  '1' AS policy_version,
  CAST(NULL AS STRING) AS model_version,
  age_hours * CAST(3600000 AS BIGINT) AS data_age_ms,
  JSON_OBJECT(KEY 'price' VALUE CAST(price AS STRING), KEY 'wanted' VALUE CAST(wanted AS STRING),
    KEY 'floor_price' VALUE CAST(floor_price AS STRING),
    KEY 'lowest_30_days' VALUE CAST(lowest_30_days AS STRING)) AS inputs,
  JSON_ARRAY(
    reason,
    CASE WHEN floored THEN 'the floor is ' || CAST(floor_price AS STRING) END,
    CASE WHEN new_price < price AND new_price >= lowest_30_days
      THEN 'no reduction may be announced: it was ' || CAST(lowest_30_days AS STRING)
        || ' within 30 days'
    END,
    CASE WHEN age_hours > ${PRICING_STALE_HOURS:-48} THEN 'refused: the newest '
      || CASE WHEN kind IN ('stock_age', 'demand') THEN 'stock or price' ELSE 'price' END
      || ' is ' || CAST(age_hours AS STRING) || ' hours old' END,
    CASE WHEN variant = 'hold_out' THEN 'held out: the price stays, to see what the change brings'
      END
  ) AS reasons,
  'pricing' AS experiment,
  variant,
  CASE WHEN variant = 'policy'
    THEN 1 - CAST(${PRICING_HOLD_OUT:-10} AS DOUBLE) / 100 ELSE CAST(${PRICING_HOLD_OUT:-10} AS DOUBLE) / 100
  END AS propensity,
  CASE
    WHEN variant = 'hold_out' OR age_hours > ${PRICING_STALE_HOURS:-48} THEN 'rejected'
    WHEN ABS(new_price - price) <= price * ${APPROVE_STEP:-0.1} THEN 'approved'
    ELSE 'proposed'
  END AS status,
  'pack pricing' AS actor,
  CAST(NULL AS STRING) AS ext
FROM (
  SELECT p.*, n.today, n.now_hour, r.lowest_30_days,
    CASE
      WHEN MOD(CAST(CONV(SUBSTRING(MD5('pricing' || '/' || p.sku), 1, 7), 16, 10) AS BIGINT), 100)
        < ${PRICING_HOLD_OUT:-10} THEN 'hold_out'
      ELSE 'policy'
    END AS variant,
    -- How old what the rule looks at is: prices always, stock where the rule is one of stock.
    GREATEST(TIMESTAMPDIFF(HOUR, n.price_hour, n.now_hour),
      CASE WHEN p.kind IN ('stock_age', 'demand')
        THEN TIMESTAMPDIFF(HOUR, n.stock_hour, n.now_hour) ELSE 0 END) AS age_hours
  FROM pricing_change AS p
  JOIN pricing_reference AS r ON p.sku = r.sku
  CROSS JOIN pricing_now AS n
  WHERE NOT p.is_cooling
);
