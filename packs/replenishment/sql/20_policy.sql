-- When to order, and up to what.

-- What a place has to meet: its own sales, and those of the places that it supplies.
CREATE VIEW replenishment_demand AS
SELECT
  sku, location_id, today, MIN(days) AS days, SUM(units_a_day) AS units_a_day,
  SUM(variance) AS variance
FROM (
  SELECT sku, location_id, today, days, units_a_day,
    COALESCE(variance, CAST(units_a_day AS DOUBLE)) AS variance
  FROM inventory_demand
  UNION ALL
  SELECT d.sku, l.supplied_from AS location_id, d.today, d.days, d.units_a_day,
    COALESCE(d.variance, CAST(d.units_a_day AS DOUBLE)) AS variance
  FROM inventory_demand AS d
  JOIN replenishment_location AS l ON d.location_id = l.location_id
  WHERE l.supplied_from IS NOT NULL
)
GROUP BY sku, location_id, today;

-- Periodic review with safety stock. Over lead time L and review R demand has mean m (L + R) and
-- deviation s sqrt(L + R). The reorder point is that mean and SERVICE_Z deviations more (1.645:
-- enough in 95 of 100 cycles where demand is normal), the order-up-to level the demand of
-- COVER_DAYS more. (Silver, Pyke, Thomas: Inventory and Production Management in Supply Chains,
-- 4th edition, chapter 6.) With one day of history, demand is taken for Poisson: s² = m.
CREATE MATERIALIZED VIEW replenishment_policy AS
SELECT
  sku, location_id, today, days, units_a_day, supplied_from, supplier_id, lead_days,
  pack_size, minimum_order, available, on_order, available + on_order AS stock_position,
  CAST(CEIL(reorder_at) AS DECIMAL(18, 0)) AS reorder_point,
  CAST(CEIL(reorder_at + units_a_day * ${COVER_DAYS:-7}) AS DECIMAL(18, 0)) AS order_up_to
FROM (
  SELECT *,
    units_a_day * (lead_days + ${REVIEW_DAYS:-1})
      + ${SERVICE_Z:-1.645} * SQRT(variance * (lead_days + ${REVIEW_DAYS:-1})) AS reorder_at
  FROM (
    SELECT
      d.sku, d.location_id, d.today, d.days, d.units_a_day, d.variance,
      l.supplied_from,
      CASE WHEN l.supplied_from IS NULL THEN t.supplier_id END AS supplier_id,
      CASE WHEN l.supplied_from IS NULL
        THEN t.lead_time_days ELSE ${TRANSFER_DAYS:-2}
      END AS lead_days,
      CASE WHEN l.supplied_from IS NULL
        THEN COALESCE(t.pack_size, CAST(1 AS DECIMAL(18, 4))) ELSE CAST(1 AS DECIMAL(18, 4))
      END AS pack_size,
      CASE WHEN l.supplied_from IS NULL
        THEN COALESCE(t.minimum_order, CAST(0 AS DECIMAL(18, 4))) ELSE CAST(0 AS DECIMAL(18, 4))
      END AS minimum_order,
      a.available,
      COALESCE(o.on_order, CAST(0 AS DECIMAL(18, 4))) AS on_order
    FROM replenishment_demand AS d
    JOIN inventory_availability AS a ON d.sku = a.sku AND d.location_id = a.location_id
    LEFT JOIN replenishment_terms AS t ON d.sku = t.sku
    LEFT JOIN replenishment_location AS l ON d.location_id = l.location_id
    LEFT JOIN replenishment_on_order AS o ON d.sku = o.sku AND d.location_id = o.location_id
  )
  WHERE lead_days IS NOT NULL
);

-- What cannot be planned, and why: no supplier has said how long he takes.
CREATE MATERIALIZED VIEW replenishment_unplanned AS
SELECT d.sku, d.location_id, d.units_a_day, 'no supplier with a lead time' AS reason
FROM replenishment_demand AS d
LEFT JOIN replenishment_policy AS p ON d.sku = p.sku AND d.location_id = p.location_id
WHERE p.sku IS NULL AND d.units_a_day > 0;

-- What is missing, in whole packs and not less than a supplier sends.
CREATE VIEW replenishment_need AS
SELECT *, CEIL(GREATEST(needed, minimum_order) / pack_size) * pack_size AS quantity
FROM (
  SELECT *, order_up_to - stock_position AS needed
  FROM replenishment_policy
  WHERE units_a_day > 0 AND stock_position <= reorder_point
)
WHERE needed > 0;
