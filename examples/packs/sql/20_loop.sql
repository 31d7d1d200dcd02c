-- The loop is closed: what is applied goes to the shop. It knows no transfers between places; an
-- order for a store is one of the warehouse.
INSERT INTO shop_inbox (
  decision_id, decided_at, decision_type, sku, location_id, customer_id, campaign_id, quantity,
  amount, action, status)
SELECT decision_id, decided_at,
  CASE decision_type WHEN 'allocate' THEN 'replenish' ELSE decision_type END,
  sku, location_id, customer_id, campaign_id, quantity, amount, action, status
FROM decision
WHERE status = 'applied';

-- What the shop has done because of it: prices it has set, messages it has sent, and goods that came
-- to the place afterwards, as many as were ordered (they do not say by which order).
CREATE MATERIALIZED VIEW shop_reaction AS
SELECT DISTINCT 'price' AS reaction, decision_id, sku AS subject, amount AS figure
FROM price_event
WHERE decision_id IS NOT NULL
UNION ALL
SELECT DISTINCT 'goods', d.decision_id, d.sku, d.quantity
FROM decision AS d
JOIN (
  SELECT ref_id, sku, location_id, SUM(quantity) AS quantity, MIN(event_time) AS came_at
  FROM inventory_movement
  WHERE action = 'add' AND ref_type IN ('po', 'transfer')
  GROUP BY ref_id, sku, location_id) AS g
ON d.sku = g.sku AND d.location_id = g.location_id AND d.quantity = g.quantity
WHERE d.decision_type IN ('replenish', 'allocate') AND d.status = 'applied'
  AND g.came_at > d.decided_at
UNION ALL
SELECT DISTINCT 'message', decision_id, customer_id, CAST(1 AS DECIMAL(18, 4))
FROM contact_event
WHERE decision_id IS NOT NULL AND kind = 'sent';
