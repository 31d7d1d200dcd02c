-- What one place of ours gives to another.

-- Those that ask one place for the same SKU, the one with the fewest days of stock first. `earlier`
-- is what is asked for before it.
CREATE VIEW replenishment_asked AS
SELECT
  n.sku, n.location_id, n.supplied_from, n.quantity,
  COALESCE(SUM(e.quantity), CAST(0 AS DECIMAL(18, 4))) AS earlier
FROM replenishment_need AS n
LEFT JOIN replenishment_need AS e
  ON n.sku = e.sku AND n.supplied_from = e.supplied_from
  AND (e.stock_position * n.units_a_day < n.stock_position * e.units_a_day
    OR e.stock_position * n.units_a_day = n.stock_position * e.units_a_day
      AND e.location_id < n.location_id)
WHERE n.supplied_from IS NOT NULL
GROUP BY n.sku, n.location_id, n.supplied_from, n.quantity;

-- What is given: whole pieces, as long as there are any. The type is said because of two of 38 digits
-- Flink makes one without a fraction, and "11.0000" would be "11" there.
CREATE MATERIALIZED VIEW replenishment_transfer AS
SELECT
  k.sku, k.supplied_from AS from_location_id, k.location_id, k.quantity AS asked,
  LEAST(k.quantity, CAST(FLOOR(a.available - k.earlier) AS DECIMAL(38, 4))) AS quantity
FROM replenishment_asked AS k
JOIN inventory_availability AS a ON k.sku = a.sku AND k.supplied_from = a.location_id
WHERE a.available - k.earlier >= 1;
