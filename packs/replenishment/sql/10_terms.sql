-- What suppliers say: the newest word on each article, of the supplier with the shortest lead time.
CREATE VIEW replenishment_terms AS
SELECT sku, supplier_id, lead_time_days, minimum_order, pack_size
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY lead_time_days, supplier_id) AS place
  FROM (
    SELECT *, ROW_NUMBER() OVER (
        PARTITION BY sku, supplier_id ORDER BY CAST(updated_at AS TIMESTAMP(3)) DESC
      ) AS nth
    FROM sku_supplier
  )
  WHERE nth = 1 AND lead_time_days IS NOT NULL
)
WHERE place = 1;

-- Where a location gets its goods from, where that is another location of ours.
CREATE VIEW replenishment_location AS
SELECT location_id, kind, supplied_from
FROM (
  SELECT *, ROW_NUMBER() OVER (
      PARTITION BY location_id ORDER BY CAST(updated_at AS TIMESTAMP(3)) DESC
    ) AS nth
  FROM location
)
WHERE nth = 1;

-- What was ordered and has not come yet: orders are decisions that were applied, and goods come
-- under their numbers. What is REPLENISHMENT_OVERDUE_DAYS late is not waited for any more: it was
-- lost, or it came under another number.
CREATE VIEW replenishment_on_order AS
SELECT d.sku, d.location_id, SUM(GREATEST(d.quantity - COALESCE(r.received, 0), 0)) AS on_order
FROM (
  SELECT DISTINCT o.decision_id, o.sku, o.location_id, o.quantity
  FROM decision AS o
  CROSS JOIN inventory_today AS n
  LEFT JOIN replenishment_terms AS t ON o.sku = t.sku
  WHERE o.decision_type IN ('replenish', 'allocate') AND o.status = 'applied'
    AND TIMESTAMPDIFF(DAY, CAST(o.decided_at AS DATE), n.today)
      <= CASE WHEN o.decision_type = 'allocate' OR t.lead_time_days IS NULL
        THEN ${TRANSFER_DAYS:-2} ELSE t.lead_time_days END + ${REPLENISHMENT_OVERDUE_DAYS:-7}
) AS d
LEFT JOIN (
  SELECT ref_id, sku, location_id, SUM(quantity) AS received
  FROM inventory_movement
  WHERE action = 'add' AND ref_type IN ('po', 'transfer')
  GROUP BY ref_id, sku, location_id
) AS r ON d.decision_id = r.ref_id AND d.sku = r.sku AND d.location_id = r.location_id
GROUP BY d.sku, d.location_id;
