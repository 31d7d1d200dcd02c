-- Textbook: the reorder point is half as much again as is sold in a lead time, the lot two weeks'
-- sales; what is on its way is not ordered again before the lead time is over. What is sold in a day
-- is the plain mean of the days that are looked at.
CREATE VIEW textbook_demand AS
SELECT k.sku, k.location_id, k.today,
  CAST(CAST(COALESCE(SUM(s.units), 0) AS DOUBLE) / k.days AS DECIMAL(18, 4)) AS units_a_day
FROM inventory_known_days AS k
LEFT JOIN inventory_sold_day AS s
ON k.sku = s.sku AND k.location_id = s.location_id
  AND s.sold_on < k.today AND TIMESTAMPDIFF(DAY, s.sold_on, k.today) <= k.days
WHERE k.days > 0
GROUP BY k.sku, k.location_id, k.today, k.days;

CREATE MATERIALIZED VIEW textbook_decision AS
SELECT
  'replenish:' || sku || ':' || location_id || ':'
    || CAST(TIMESTAMPDIFF(DAY, DATE '1970-01-05', today) / lead_days AS STRING) AS decision_id,
  CAST(CAST(today AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS decided_at,
  'replenish' AS decision_type, sku, location_id,
  CAST(CEIL(units_a_day * 14 / pack_size) * pack_size AS DECIMAL(18, 4)) AS quantity,
  'proposed' AS status
FROM (
  SELECT d.sku, d.location_id, d.today, d.units_a_day, a.available,
    CASE WHEN d.location_id = 'dc-1' THEN GREATEST(COALESCE(s.lead_time_days, 7), 1) ELSE 2 END
      AS lead_days,
    CASE WHEN d.location_id = 'dc-1'
      THEN COALESCE(s.pack_size, CAST(1 AS DECIMAL(18, 4))) ELSE CAST(1 AS DECIMAL(18, 4)) END
      AS pack_size
  FROM (
    SELECT sku, location_id, today, SUM(units_a_day) AS units_a_day
    FROM (
      SELECT sku, location_id, today, units_a_day FROM textbook_demand
      UNION ALL
      -- The warehouse supplies the stores.
      SELECT sku, 'dc-1' AS location_id, today, units_a_day FROM textbook_demand
      WHERE location_id <> 'dc-1')
    GROUP BY sku, location_id, today) AS d
  JOIN inventory_availability AS a ON d.sku = a.sku AND d.location_id = a.location_id
  LEFT JOIN (
    SELECT sku, MIN(lead_time_days) AS lead_time_days, MIN(pack_size) AS pack_size
    FROM sku_supplier GROUP BY sku) AS s ON d.sku = s.sku)
WHERE units_a_day > 0 AND available < units_a_day * lead_days * 1.5;
