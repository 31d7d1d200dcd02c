-- How fast goods are sold.

CREATE VIEW inventory_sold_day AS
SELECT sku, location_id, CAST(event_time AS DATE) AS sold_on, SUM(-quantity) AS units
FROM inventory_movement
WHERE ref_type IN ('sale', 'return') AND action IN ('add', 'delete')
GROUP BY sku, location_id, CAST(event_time AS DATE);

-- What moved on a day.
CREATE VIEW inventory_moved_day AS
SELECT sku, location_id, CAST(event_time AS DATE) AS moved_on, SUM(quantity) AS net
FROM inventory_movement
WHERE action IN ('add', 'delete')
GROUP BY sku, location_id, CAST(event_time AS DATE);
SET 'rialto.share.inventory_moved_day' = 'true';

CREATE VIEW inventory_moved_lately AS
SELECT d.sku, d.location_id, d.moved_on, d.net
FROM inventory_moved_day AS d
CROSS JOIN (
  SELECT TIMESTAMPADD(DAY, -${DEMAND_DAYS:-28}, today) AS since FROM inventory_today) AS t
WHERE d.moved_on >= t.since;
SET 'rialto.share.inventory_moved_lately' = 'true';

CREATE VIEW inventory_known_days AS
SELECT
  i.sku, i.location_id, t.today,
  LEAST(${DEMAND_DAYS:-28}, TIMESTAMPDIFF(DAY, CAST(i.first_moved_at AS DATE), t.today)) AS days
FROM inventory_position AS i CROSS JOIN inventory_today AS t;

-- Days at whose end nothing was left, the one before all that are looked at among them, and when
-- something moved again: between the two nobody could buy. What was left then is what there is now
-- without all that moved since.
CREATE VIEW inventory_emptied AS
SELECT c.sku, c.location_id, c.ended_on AS emptied_on, MIN(l.moved_on) AS moved_again_on
FROM (
  SELECT sku, location_id, moved_on AS ended_on FROM inventory_moved_lately
  UNION ALL
  SELECT sku, location_id, TIMESTAMPADD(DAY, -1 - days, today) FROM inventory_known_days
) AS c
JOIN (
  SELECT sku, location_id, SUM(net) AS net FROM inventory_moved_day GROUP BY sku, location_id
) AS p ON c.sku = p.sku AND c.location_id = p.location_id
LEFT JOIN inventory_moved_lately AS l
ON c.sku = l.sku AND c.location_id = l.location_id AND l.moved_on > c.ended_on
GROUP BY c.sku, c.location_id, c.ended_on, p.net
HAVING p.net - COALESCE(SUM(l.net), 0) <= 0;

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
