-- What came of decisions: sales, returns, clicks, stock-outs, joined back to the decision that they
-- may have come from.

-- Lines of receipts, each once. A return counts with its negative amount.
CREATE VIEW outcome_sale AS
SELECT event_id, event_time, CASE WHEN txn_type = 'sale' THEN 'sale' ELSE 'return' END AS kind,
  line_total AS `value`, currency, sku, store_id AS location_id, customer_id
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_id) AS nth FROM sale_line)
WHERE nth = 1 AND line_type IN ('item', 'gift', 'discount');

CREATE VIEW outcome_click AS
SELECT event_id, event_time, customer_id, sku
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_id) AS nth
  FROM behavior_event
  WHERE action IN ('product_clicked', 'product_viewed') AND customer_id IS NOT NULL)
WHERE nth = 1;

-- The piece with which a place sold out: the sale after which nothing is left. Tagged pieces
-- count once for each reference, as in the pack inventory.
CREATE VIEW outcome_stockout AS
SELECT event_id, event_time, sku, location_id
FROM (
  SELECT event_id, event_time, sku, location_id, quantity, ref_type,
    SUM(quantity) OVER (PARTITION BY sku, location_id ORDER BY event_time) AS on_hand
  FROM (
    SELECT *, ROW_NUMBER() OVER (
      PARTITION BY CASE WHEN epc IS NULL THEN event_id
        ELSE epc || '/' || ref_id || '/' || action || '/' || location_id END
      ORDER BY event_time) AS nth
    FROM stock_movement
    WHERE action IN ('add', 'delete'))
  WHERE nth = 1)
WHERE ref_type = 'sale' AND quantity < 0 AND on_hand <= 0;

CREATE VIEW outcome_ad AS
SELECT event_id, event_time, campaign_id, kind, conversion_value, currency
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_id) AS nth
  FROM ad_event WHERE kind IN ('click', 'conversion'))
WHERE nth = 1;

CREATE VIEW outcome_message AS
SELECT event_id, event_time, decision_id, kind
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_id) AS nth
  FROM contact_event WHERE kind IN ('clicked', 'unsubscribed') AND decision_id IS NOT NULL)
WHERE nth = 1;

-- Every decision that an event may have come from: of the customer, the article, the article at a
-- place, the campaign; or the one that the event names itself.
CREATE VIEW outcome_candidate AS
SELECT d.decision_id, d.experiment, d.variant, d.subject_id, d.decided_at, e.event_id,
  e.event_time, e.kind, e.`value`, e.currency
FROM decision_judged AS d
JOIN outcome_sale AS e ON d.customer_id = e.customer_id
WHERE d.decision_type IN ('offer', 'contact', 'recommend')
  AND e.event_time > d.decided_at AND e.event_time <= d.judged_until
UNION ALL
SELECT d.decision_id, d.experiment, d.variant, d.subject_id, d.decided_at, e.event_id,
  e.event_time, 'click', CAST(1 AS DECIMAL(18, 4)), CAST(NULL AS STRING)
FROM decision_judged AS d
JOIN outcome_click AS e ON d.customer_id = e.customer_id
WHERE d.decision_type = 'recommend'
  AND e.event_time > d.decided_at AND e.event_time <= d.judged_until
UNION ALL
SELECT d.decision_id, d.experiment, d.variant, d.subject_id, d.decided_at, e.event_id,
  e.event_time, e.kind, e.`value`, e.currency
FROM decision_judged AS d
JOIN outcome_sale AS e ON d.sku = e.sku
WHERE d.decision_type = 'price'
  AND e.event_time > d.decided_at AND e.event_time <= d.judged_until
UNION ALL
SELECT d.decision_id, d.experiment, d.variant, d.subject_id, d.decided_at, e.event_id,
  e.event_time, e.kind, e.`value`, e.currency
FROM decision_judged AS d
JOIN outcome_sale AS e ON d.sku = e.sku AND d.location_id = e.location_id
WHERE d.decision_type IN ('replenish', 'allocate')
  AND e.event_time > d.decided_at AND e.event_time <= d.judged_until
UNION ALL
SELECT d.decision_id, d.experiment, d.variant, d.subject_id, d.decided_at, e.event_id,
  e.event_time, 'stockout', CAST(1 AS DECIMAL(18, 4)), CAST(NULL AS STRING)
FROM decision_judged AS d
JOIN outcome_stockout AS e ON d.sku = e.sku AND d.location_id = e.location_id
WHERE d.decision_type IN ('replenish', 'allocate')
  AND e.event_time > d.decided_at AND e.event_time <= d.judged_until
UNION ALL
SELECT d.decision_id, d.experiment, d.variant, d.subject_id, d.decided_at, e.event_id,
  e.event_time, CASE e.kind WHEN 'click' THEN 'click' ELSE 'conversion' END,
  CASE e.kind WHEN 'click' THEN CAST(1 AS DECIMAL(18, 4)) ELSE e.conversion_value END,
  CASE e.kind WHEN 'click' THEN CAST(NULL AS STRING) ELSE e.currency END
FROM decision_judged AS d
JOIN outcome_ad AS e ON d.campaign_id = e.campaign_id
WHERE d.decision_type = 'budget'
  AND e.event_time > d.decided_at AND e.event_time <= d.judged_until
UNION ALL
SELECT d.decision_id, d.experiment, d.variant, d.subject_id, d.decided_at, e.event_id,
  e.event_time, CASE e.kind WHEN 'clicked' THEN 'click' ELSE 'unsubscribe' END,
  CAST(1 AS DECIMAL(18, 4)), CAST(NULL AS STRING)
FROM decision_judged AS d
JOIN outcome_message AS e ON d.decision_id = e.decision_id;

-- Key: (decision_id, event_id). Within an experiment an event belongs to one decision: the last one
-- before it, or the first one whose time has not run out (DECISIONS_ATTRIBUTION). Experiments do
-- not take events from each other.
CREATE MATERIALIZED VIEW decision_outcome AS
SELECT decision_id, event_id, event_time, kind, `value`, currency,
  '${DECISIONS_ATTRIBUTION:-last}' AS attribution, experiment, variant, subject_id
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY experiment, event_id ORDER BY distance, decision_id) AS nth
  FROM (
    SELECT *, CASE '${DECISIONS_ATTRIBUTION:-last}'
      WHEN 'first' THEN -TIMESTAMPDIFF(SECOND, decided_at, event_time)
      ELSE TIMESTAMPDIFF(SECOND, decided_at, event_time) END AS distance
    FROM outcome_candidate))
WHERE nth = 1;
