-- How fast goods are sold.

CREATE VIEW inventory_sold_day AS
SELECT sku, location_id, CAST(event_time AS DATE) AS sold_on, SUM(-quantity) AS units
FROM inventory_movement
WHERE ref_type IN ('sale', 'return') AND action IN ('add', 'delete')
GROUP BY sku, location_id, CAST(event_time AS DATE);

-- Days on which something moved, numbered from the first.
CREATE VIEW inventory_moved_day AS
SELECT sku, location_id, moved_on, net,
  ROW_NUMBER() OVER (PARTITION BY sku, location_id ORDER BY moved_on) AS nth
FROM (
  SELECT sku, location_id, CAST(event_time AS DATE) AS moved_on, SUM(quantity) AS net
  FROM inventory_movement
  WHERE action IN ('add', 'delete')
  GROUP BY sku, location_id, CAST(event_time AS DATE));
SET 'rialto.share.inventory_moved_day' = 'true';

-- At whose end nothing was left, and when something moved again: between the two nobody could buy.
CREATE VIEW inventory_emptied AS
SELECT e.sku, e.location_id, e.moved_on AS emptied_on, n.moved_on AS moved_again_on
FROM (
  SELECT a.sku, a.location_id, a.moved_on, a.nth
  FROM inventory_moved_day AS a
  JOIN inventory_moved_day AS b
  ON a.sku = b.sku AND a.location_id = b.location_id AND b.nth <= a.nth
  GROUP BY a.sku, a.location_id, a.moved_on, a.nth
  HAVING SUM(b.net) <= 0
) AS e
LEFT JOIN inventory_moved_day AS n
ON e.sku = n.sku AND e.location_id = n.location_id AND n.nth = e.nth + 1;

CREATE VIEW inventory_known_days AS
SELECT
  i.sku, i.location_id, t.today,
  LEAST(${DEMAND_DAYS:-28}, TIMESTAMPDIFF(DAY, CAST(i.first_moved_at AS DATE), t.today)) AS days
FROM inventory_position AS i CROSS JOIN inventory_today AS t;

-- How many of the days that are looked at were without a piece from beginning to end.
CREATE VIEW inventory_empty_days AS
SELECT k.sku, k.location_id, SUM(GREATEST(
    LEAST(TIMESTAMPDIFF(DAY, e.emptied_on, k.today) - 1, k.days)
      - COALESCE(TIMESTAMPDIFF(DAY, e.moved_again_on, k.today), 0), 0)) AS empty_days
FROM inventory_known_days AS k
JOIN inventory_emptied AS e ON k.sku = e.sku AND k.location_id = e.location_id
GROUP BY k.sku, k.location_id;

-- Mean and spread of a day's sales over the last whole days. Days without a sale count; days before
-- the first movement do not, nor those on which there was nothing to sell: an empty shelf is no want
-- of demand. What had nothing all the time keeps all of them. The variance is that of a sample.
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
    SELECT k.sku, k.location_id, k.today, k.days AS looked_at,
      CASE WHEN k.days > COALESCE(e.empty_days, 0) THEN k.days - COALESCE(e.empty_days, 0)
        ELSE k.days END AS days
    FROM inventory_known_days AS k
    LEFT JOIN inventory_empty_days AS e ON k.sku = e.sku AND k.location_id = e.location_id
  ) AS p
  LEFT JOIN inventory_sold_day AS s
    ON p.sku = s.sku AND p.location_id = s.location_id
    AND s.sold_on < p.today AND TIMESTAMPDIFF(DAY, s.sold_on, p.today) <= p.looked_at
  WHERE p.days > 0
  GROUP BY p.sku, p.location_id, p.today, p.days
);
