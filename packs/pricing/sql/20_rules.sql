-- Rules. Each may want a price for a SKU; the one with the lowest priority number is heard. A rule
-- looks at articles, stock and the market, never at who is buying: a list price is the same for
-- everybody.

CREATE VIEW pricing_stock AS
SELECT
  a.sku, SUM(a.available) AS available, SUM(COALESCE(d.units_a_day, 0)) AS units_a_day,
  MAX(d.last_sold_on) AS last_sold_on, MAX(d.days) AS days
FROM inventory_availability AS a
LEFT JOIN inventory_demand AS d ON a.sku = d.sku AND a.location_id = d.location_id
GROUP BY a.sku;

CREATE VIEW pricing_candidate AS
-- 1: what has not been sold for long, and is there, is marked down.
SELECT
  1 AS priority, 'stock_age' AS rule, c.sku,
  c.price * (1 - ${AGE_MARKDOWN:-0.15}) AS wanted,
  CAST(s.available AS STRING) || ' pieces, none sold in ' || CAST(s.days AS STRING) || ' days'
    AS reason
FROM pricing_current AS c
JOIN pricing_stock AS s ON c.sku = s.sku
WHERE s.available > 0 AND s.units_a_day = 0 AND s.days >= ${AGE_DAYS:-14}
UNION ALL
-- 2: what will be gone in a few days is not sold under its price.
SELECT
  2, 'demand', c.sku, c.price * (1 + ${DEMAND_MARKUP:-0.05}),
  CAST(s.available AS STRING) || ' pieces are left, ' || CAST(s.units_a_day AS STRING)
    || ' are sold a day'
FROM pricing_current AS c
JOIN pricing_stock AS s ON c.sku = s.sku
WHERE s.units_a_day > 0 AND s.available > 0
  AND s.available < s.units_a_day * ${SCARCE_DAYS:-2}
UNION ALL
-- 3: who is dearer than the cheapest competitor undercuts or matches him.
SELECT
  3, 'competitor', c.sku, m.lowest * (1 - ${UNDERCUT:-0}),
  'the lowest of ' || CAST(m.competitors AS STRING) || ' competitors asks '
    || CAST(m.lowest AS STRING)
FROM pricing_current AS c
JOIN pricing_competitor AS m ON c.sku = m.sku
WHERE c.price > m.lowest * (1 - ${UNDERCUT:-0})
UNION ALL
-- 4: what earns less than the margin that is wanted gets it.
SELECT
  4, 'margin', c.sku, k.unit_cost / (1 - ${TARGET_MARGIN:-0.3}),
  'costs ' || CAST(k.unit_cost AS STRING) || ', and is sold for '
    || CAST(c.price AS STRING)
FROM pricing_current AS c
JOIN pricing_cost AS k ON c.sku = k.sku
WHERE k.unit_cost IS NOT NULL AND c.price * (1 - ${TARGET_MARGIN:-0.3}) < k.unit_cost;

-- What is heard, rounded and within the guards: never under cost and the least margin, never under
-- the price that the maker allows to be advertised, never further than MAX_STEP in one go.
CREATE MATERIALIZED VIEW pricing_proposal AS
SELECT
  sku, rule, reason, price, currency, set_at, wanted, floor_price,
  CASE WHEN bounded < floor_price
    THEN CEIL(floor_price / ${ROUND_TO:-0.05}) * ${ROUND_TO:-0.05} ELSE bounded
  END AS new_price,
  wanted < floor_price AS floored
FROM (
  SELECT *,
    ROUND(GREATEST(LEAST(wanted, price * (1 + ${MAX_STEP:-0.2})), price * (1 - ${MAX_STEP:-0.2}))
      / ${ROUND_TO:-0.05}, 0) * ${ROUND_TO:-0.05} AS bounded
  FROM (
    SELECT
      r.sku, r.rule, r.reason, r.wanted, c.price, c.currency, c.set_at,
      GREATEST(k.unit_cost * (1 + ${MIN_MARGIN:-0.05}), COALESCE(k.minimum_advertised_price, 0))
        AS floor_price,
      ROW_NUMBER() OVER (PARTITION BY r.sku ORDER BY r.priority) AS place
    FROM pricing_candidate AS r
    JOIN pricing_current AS c ON r.sku = c.sku
    JOIN pricing_cost AS k ON r.sku = k.sku
    WHERE k.unit_cost IS NOT NULL
  )
  WHERE place = 1
);

-- What no rule may touch, and why: without a cost there is no floor.
CREATE MATERIALIZED VIEW pricing_refused AS
SELECT DISTINCT r.sku, 'its cost is not known, so that there is no floor' AS reason
FROM pricing_candidate AS r
LEFT JOIN pricing_cost AS k ON r.sku = k.sku
WHERE k.unit_cost IS NULL;
