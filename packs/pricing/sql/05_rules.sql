-- The rules, as rows: those that the parameters say, and over them what somebody has changed since.

-- A rule as it was saved: the newest row of a rule_id is what holds. `PUT /v1/rules` writes here;
-- docs/packs/pricing.md says what each kind makes of `days` and `rate`.
CREATE TABLE pricing_rule_change (
  event_id STRING NOT NULL,
  rule_id STRING NOT NULL,
  kind STRING NOT NULL COMMENT 'stock_age, demand, competitor, margin',
  is_active BOOLEAN NOT NULL,
  priority INT NOT NULL COMMENT 'the lowest that speaks is heard',
  days INT,
  rate DECIMAL(9, 4) NOT NULL,
  note STRING,
  actor STRING,
  changed_at TIMESTAMP_LTZ(3) NOT NULL
) WITH (
  'connector' = 'http', 'path' = '${PRICING_RULES_LOG:-.rialto/log/pricing_rule_change}',
  'scan.bounded.mode' = '${PRICING_RULES_BOUND:-unbounded}'
);

-- Key: rule_id.
CREATE MATERIALIZED VIEW pricing_rule AS
SELECT rule_id, kind, is_active, priority, days, rate, note, actor, changed_at
FROM (
  SELECT *, ROW_NUMBER() OVER (
    -- As one text: see pricing_event.
    PARTITION BY rule_id
    ORDER BY CAST(CAST(changed_at AS TIMESTAMP(3)) AS STRING) || '/' || event_id DESC) AS place
  FROM (
    SELECT event_id, rule_id, kind, is_active, priority, days, rate, note, actor, changed_at
    FROM pricing_rule_change
    UNION ALL
    SELECT '', rule_id, rule_id, TRUE, priority, days, CAST(rate AS DECIMAL(9, 4)),
      CAST(NULL AS STRING), 'pack pricing', CAST(TIMESTAMP '1970-01-01 00:00:00' AS TIMESTAMP_LTZ(3))
    FROM (VALUES
      ('stock_age', 1, ${AGE_DAYS:-14}, ${AGE_MARKDOWN:-0.15}),
      ('demand', 2, ${SCARCE_DAYS:-2}, ${DEMAND_MARKUP:-0.05}),
      ('competitor', 3, CAST(NULL AS INT), ${UNDERCUT:-0}),
      ('margin', 4, CAST(NULL AS INT), ${TARGET_MARGIN:-0.3})
    ) AS defaults (rule_id, priority, days, rate)))
WHERE place = 1;

-- What no rule goes beyond. They are parameters of the project: who may change a rule may not
-- change these.
CREATE MATERIALIZED VIEW pricing_guard AS
SELECT guard, CAST(guarded AS DECIMAL(9, 4)) AS `value`
FROM (VALUES
  ('max_step', ${MAX_STEP:-0.2}),
  ('round_to', ${ROUND_TO:-0.05}),
  ('min_margin', ${MIN_MARGIN:-0.05}),
  ('approve_step', ${APPROVE_STEP:-0.1}),
  ('cool_down_hours', ${COOL_DOWN_HOURS:-24})
) AS guards (guard, guarded);
