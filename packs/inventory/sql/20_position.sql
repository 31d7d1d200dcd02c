-- How many pieces are where. `observe` says what somebody saw, and moves nothing.
CREATE MATERIALIZED VIEW inventory_position AS
SELECT
  sku,
  location_id,
  SUM(quantity) AS on_hand,
  SUM(CASE WHEN quantity > 0 THEN quantity ELSE 0 END) AS came,
  SUM(CASE WHEN quantity < 0 THEN -quantity ELSE 0 END) AS went,
  COUNT(*) AS movements,
  MIN(event_time) AS first_moved_at,
  MAX(event_time) AS last_moved_at
FROM inventory_movement
WHERE action IN ('add', 'delete')
GROUP BY sku, location_id;

-- Counts that do not agree with the movements until then: the newest count of each place.
CREATE MATERIALIZED VIEW inventory_discrepancy AS
SELECT *, counted - expected AS gap
FROM (
  SELECT
    c.sku, c.location_id, c.counted_at, c.counted,
    COALESCE(SUM(m.quantity), 0) AS expected
  FROM (
    SELECT sku, location_id, CAST(event_time AS TIMESTAMP(3)) AS counted_at, quantity AS counted
    FROM (
      SELECT *, ROW_NUMBER() OVER (
          PARTITION BY sku, location_id ORDER BY CAST(event_time AS TIMESTAMP(3)) DESC
        ) AS nth
      FROM inventory_movement
      WHERE action = 'observe' AND biz_step = 'counting'
    )
    WHERE nth = 1
  ) AS c
  LEFT JOIN (
    SELECT sku, location_id, CAST(event_time AS TIMESTAMP(3)) AS moved_at, quantity
    FROM inventory_movement
    WHERE action IN ('add', 'delete')
  ) AS m ON c.sku = m.sku AND c.location_id = m.location_id AND m.moved_at <= c.counted_at
  GROUP BY c.sku, c.location_id, c.counted_at, c.counted
)
WHERE counted <> expected;
