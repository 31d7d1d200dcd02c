-- How fast goods are sold.

CREATE VIEW inventory_sold_day AS
SELECT sku, location_id, CAST(event_time AS DATE) AS sold_on, SUM(-quantity) AS units
FROM inventory_movement
WHERE ref_type IN ('sale', 'return') AND action IN ('add', 'delete')
GROUP BY sku, location_id, CAST(event_time AS DATE);

-- Mean and spread of a day's sales over the last whole days. Days without a sale count; days before
-- the first movement do not. The variance is that of a sample.
CREATE MATERIALIZED VIEW inventory_demand AS
SELECT
  sku, location_id, today, days, units,
  CAST(units / days AS DECIMAL(18, 4)) AS units_a_day,
  CASE WHEN days > 1
    THEN GREATEST((squares - units * units / days) / (days - 1), CAST(0 AS DOUBLE))
  END AS variance,
  last_sold_on
FROM (
  SELECT
    p.sku, p.location_id, p.today, p.days,
    CAST(COALESCE(SUM(s.units), 0) AS DOUBLE) AS units,
    CAST(COALESCE(SUM(s.units * s.units), 0) AS DOUBLE) AS squares,
    MAX(s.sold_on) AS last_sold_on
  FROM (
    SELECT
      i.sku, i.location_id, t.today,
      LEAST(${DEMAND_DAYS:-28}, TIMESTAMPDIFF(DAY, CAST(i.first_moved_at AS DATE), t.today)) AS days
    FROM inventory_position AS i CROSS JOIN inventory_today AS t
  ) AS p
  LEFT JOIN inventory_sold_day AS s
    ON p.sku = s.sku AND p.location_id = s.location_id
    AND s.sold_on < p.today AND TIMESTAMPDIFF(DAY, s.sold_on, p.today) <= p.days
  WHERE p.days > 0
  GROUP BY p.sku, p.location_id, p.today, p.days
);
