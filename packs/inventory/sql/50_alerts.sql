-- Conditions that somebody should know of: a row is there as long as the condition holds. Its
-- coming is the alert, its going the all-clear; a change of its numbers is neither.

-- Fewer pieces than the least that shall be there.
CREATE MATERIALIZED VIEW inventory_low_stock AS
SELECT sku, location_id, available, CAST(${LOW_STOCK:-5} AS DECIMAL(18, 4)) AS least
FROM inventory_availability
WHERE available <= ${LOW_STOCK:-5} AND available >= 0;

-- More is promised than there is: two buyers were given the same piece.
CREATE MATERIALIZED VIEW inventory_oversold AS
SELECT sku, location_id, on_hand, reserved, -available AS missing
FROM inventory_availability
WHERE available < 0;

-- At the pace of the last days it is gone before more can come.
CREATE MATERIALIZED VIEW inventory_stock_out_risk AS
SELECT
  a.sku, a.location_id, a.available, d.units_a_day,
  CAST(a.available / d.units_a_day AS DECIMAL(18, 1)) AS days_left
FROM inventory_availability AS a
JOIN inventory_demand AS d ON a.sku = d.sku AND a.location_id = d.location_id
WHERE d.units_a_day > 0 AND a.available < d.units_a_day * ${RISK_DAYS:-3};

-- More than will be sold for a long time.
CREATE MATERIALIZED VIEW inventory_overstock AS
SELECT
  a.sku, a.location_id, a.available, d.units_a_day,
  CAST(a.available / d.units_a_day AS DECIMAL(18, 1)) AS days_left
FROM inventory_availability AS a
JOIN inventory_demand AS d ON a.sku = d.sku AND a.location_id = d.location_id
WHERE d.units_a_day > 0 AND d.days >= ${DEMAND_DAYS:-28}
  AND a.available > d.units_a_day * ${OVERSTOCK_DAYS:-90};

-- It lies there, and nobody has bought one for long.
CREATE MATERIALIZED VIEW inventory_slow_mover AS
SELECT a.sku, a.location_id, a.on_hand, d.last_sold_on, d.days AS days_looked_at
FROM inventory_availability AS a
JOIN inventory_demand AS d ON a.sku = d.sku AND a.location_id = d.location_id
WHERE a.on_hand > 0 AND d.days >= ${SLOW_DAYS:-14}
  AND (d.last_sold_on IS NULL
    OR TIMESTAMPDIFF(DAY, d.last_sold_on, d.today) >= ${SLOW_DAYS:-14});
