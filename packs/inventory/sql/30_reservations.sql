-- Goods that are kept for a cart or an order.

-- The newest word on each reservation: its highest version.
CREATE VIEW inventory_reservation AS
SELECT reservation_id, op, sku, location_id, quantity, owner_type, owner_id, event_time, expires_at
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY reservation_id ORDER BY version DESC) AS nth
  FROM reservation_event
)
WHERE nth = 1;

-- What has left a place for an order, under its own number or that of its receipt: a confirmed
-- reservation ends piece by piece.
CREATE VIEW inventory_picked AS
SELECT COALESCE(t.order_id, m.ref_id) AS owner_id, m.sku, m.location_id, SUM(-m.quantity) AS picked
FROM inventory_movement AS m
LEFT JOIN (
  SELECT DISTINCT transaction_id, order_id FROM sale_line WHERE order_id IS NOT NULL
) AS t ON m.ref_id = t.transaction_id
WHERE m.action = 'delete' AND m.ref_type = 'sale'
GROUP BY COALESCE(t.order_id, m.ref_id), m.sku, m.location_id;

-- Who has how many pieces kept for him. What nobody confirms lapses by time alone, to the minute:
-- at the moment that the reservation says itself, or after HOLD_MINUTES.
CREATE MATERIALIZED VIEW inventory_hold AS
SELECT reservation_id, sku, location_id, owner_type, owner_id, op, held, since, lapses_at
FROM (
  SELECT
    r.reservation_id, r.sku, r.location_id, r.owner_type, r.owner_id, r.op,
    r.quantity - COALESCE(p.picked, 0) AS held,
    r.event_time AS since,
    CASE WHEN r.op = 'reserve'
      THEN COALESCE(r.expires_at, r.event_time + INTERVAL '${HOLD_MINUTES:-15}' MINUTE)
    END AS lapses_at,
    n.now_minute
  FROM inventory_reservation AS r
  CROSS JOIN inventory_now AS n
  LEFT JOIN inventory_picked AS p
    ON r.owner_id = p.owner_id AND r.sku = p.sku AND r.location_id = p.location_id
  WHERE r.op IN ('reserve', 'confirm')
)
WHERE held > 0 AND (lapses_at IS NULL OR lapses_at > now_minute);

-- What can still be sold.
CREATE MATERIALIZED VIEW inventory_availability AS
SELECT
  COALESCE(p.sku, h.sku) AS sku,
  COALESCE(p.location_id, h.location_id) AS location_id,
  COALESCE(p.on_hand, 0) AS on_hand,
  COALESCE(h.reserved, 0) AS reserved,
  COALESCE(p.on_hand, 0) - COALESCE(h.reserved, 0) AS available
FROM inventory_position AS p
FULL JOIN (
  SELECT sku, location_id, SUM(held) AS reserved FROM inventory_hold GROUP BY sku, location_id
) AS h ON p.sku = h.sku AND p.location_id = h.location_id;
