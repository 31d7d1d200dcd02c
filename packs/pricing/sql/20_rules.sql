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

-- Key: sku. All that a rule may look at.
CREATE MATERIALIZED VIEW pricing_basis AS
SELECT
  c.sku, c.price, COALESCE(g.regular, c.price) AS regular, c.currency, c.set_at, k.unit_cost,
  k.minimum_advertised_price, s.available, s.units_a_day, s.days AS stock_days, m.competitors, m.lowest
FROM pricing_current AS c
LEFT JOIN pricing_regular AS g ON c.sku = g.sku
LEFT JOIN pricing_cost AS k ON c.sku = k.sku
LEFT JOIN pricing_stock AS s ON c.sku = s.sku
LEFT JOIN pricing_competitor AS m ON c.sku = m.sku;

-- From here to pricing_change everything reads materialized views alone, so that `POST
-- /v1/rules/simulate` can ask it with other rules.
CREATE VIEW pricing_candidate AS
SELECT
  r.priority, r.rule_id AS rule, r.kind, b.sku,
  CAST(CASE r.kind
    WHEN 'stock_age' THEN b.price * (1 - r.rate)
    WHEN 'demand' THEN GREATEST(b.regular * (1 + r.rate), b.price)
    WHEN 'competitor' THEN b.lowest * (1 - r.rate)
    WHEN 'margin' THEN b.unit_cost / NULLIF(1 - r.rate, 0)
  END AS DECIMAL(24, 8)) AS wanted,
  CASE r.kind
    WHEN 'stock_age' THEN CAST(b.available AS STRING) || ' pieces, none sold in '
      || CAST(b.stock_days AS STRING) || ' days'
    WHEN 'demand' THEN CAST(b.available AS STRING) || ' pieces are left, '
      || CAST(b.units_a_day AS STRING) || ' are sold a day'
    WHEN 'competitor' THEN 'the lowest of ' || CAST(b.competitors AS STRING)
      || ' competitors asks ' || CAST(b.lowest AS STRING)
    WHEN 'margin' THEN 'costs ' || CAST(b.unit_cost AS STRING) || ', and is sold for '
      || CAST(b.price AS STRING)
  END AS reason
FROM pricing_basis AS b
CROSS JOIN pricing_rule AS r
WHERE r.is_active AND CASE r.kind
  -- What has not been sold for long, and is there, is marked down.
  WHEN 'stock_age' THEN b.available > 0 AND b.units_a_day = 0 AND b.stock_days >= r.days
  -- What will be gone in a few days is dearer than usual, by as much on the third day of it as on
  -- the first.
  WHEN 'demand' THEN b.units_a_day > 0 AND b.available > 0
    AND b.available < b.units_a_day * r.days
  -- Who is dearer than the cheapest competitor undercuts or matches him.
  WHEN 'competitor' THEN b.price > b.lowest * (1 - r.rate)
  -- What earns less than the margin that is wanted gets it.
  WHEN 'margin' THEN b.unit_cost IS NOT NULL AND b.price * (1 - r.rate) < b.unit_cost
  ELSE FALSE
END
UNION ALL
-- When what was scarce is there again its price is the regular one, or what the margin asks for. Any
-- other rule is heard first.
SELECT 1000000, 'regular', 'demand', b.sku, CAST(b.least AS DECIMAL(24, 8)),
  CAST(b.available AS STRING) || ' pieces are there again, the regular price is '
    || CAST(b.regular AS STRING)
FROM (
  SELECT p.sku, p.price, p.regular, p.available, p.units_a_day, s.days,
    GREATEST(p.regular, COALESCE(p.unit_cost / NULLIF(1 - s.margin, 0), p.regular)) AS least
  FROM pricing_basis AS p
  CROSS JOIN (
    -- Not `WHERE is_active`: below an aggregate Flink would no longer know the rules' ranking.
    SELECT MAX(CASE WHEN is_active AND kind = 'demand' THEN days END) AS days,
      MAX(CASE WHEN is_active AND kind = 'margin' THEN rate ELSE 0 END) AS margin
    FROM pricing_rule) AS s) AS b
WHERE b.available > 0 AND b.available >= b.units_a_day * b.days
  AND b.price >= b.least + ${ROUND_TO:-0.05};

-- What is heard, rounded and within the guards: never under cost and the least margin, never under
-- the price that the maker allows to be advertised, never further than MAX_STEP in one go.
CREATE VIEW pricing_heard AS
SELECT
  sku, rule, kind, reason, price, currency, set_at, wanted, floor_price, unit_cost, units_a_day,
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
      r.sku, r.rule, r.kind, r.reason, r.wanted, b.price, b.currency, b.set_at, b.unit_cost,
      b.units_a_day,
      GREATEST(b.unit_cost * (1 + ${MIN_MARGIN:-0.05}), COALESCE(b.minimum_advertised_price, 0))
        AS floor_price,
      ROW_NUMBER() OVER (PARTITION BY r.sku ORDER BY r.priority, r.rule) AS place
    FROM pricing_candidate AS r
    JOIN pricing_basis AS b ON r.sku = b.sku
    WHERE b.unit_cost IS NOT NULL
  )
  WHERE place = 1
);

CREATE MATERIALIZED VIEW pricing_proposal AS SELECT * FROM pricing_heard;

-- The prices that would become others, and whether their last change is too fresh for that.
CREATE VIEW pricing_change AS
SELECT p.*, TIMESTAMPDIFF(HOUR, p.set_at, n.now_hour) < ${COOL_DOWN_HOURS:-24} AS is_cooling
FROM pricing_heard AS p
CROSS JOIN pricing_now AS n
WHERE p.new_price <> p.price;

-- What no rule may touch, and why: without a cost there is no floor.
CREATE MATERIALIZED VIEW pricing_refused AS
SELECT DISTINCT r.sku, 'its cost is not known, so that there is no floor' AS reason
FROM pricing_candidate AS r
JOIN pricing_basis AS b ON r.sku = b.sku
WHERE b.unit_cost IS NULL;
