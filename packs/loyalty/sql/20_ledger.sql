-- The ledger of points, double-entry: every entry takes from one account what it gives another.
-- Accounts: member:<id>:pending, :active, :locked; and the shop's own issued, redeemed, expired,
-- reversed, adjusted, transfer. The sum of all postings is zero, of all entries and of each one.

CREATE MATERIALIZED VIEW loyalty_today AS
SELECT MAX(d) AS today FROM (
  SELECT MAX(business_date) AS d FROM sale_line
  UNION ALL SELECT MAX(CAST(event_time AS DATE)) FROM loyalty_entry) AS feeds;

CREATE VIEW loyalty_sale_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM sale_line)
WHERE nth = 1 AND customer_id IS NOT NULL AND line_type IN ('item', 'discount');

CREATE VIEW loyalty_entry_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY entry_id ORDER BY event_time DESC) AS nth
  FROM loyalty_entry)
WHERE nth = 1;

-- Key: receipt. What a purchase earns, and what came back of it: before its points became
-- active (taken from the pending ones), or afterwards (from the active ones). Points become active
-- ${LOYALTY_PENDING_DAYS:-14} days after the purchase. A purchase that the till's own ledger
-- has an `earn` for is left to that.
CREATE MATERIALIZED VIEW loyalty_earned AS
SELECT s.receipt, s.customer_id, s.sold_at, s.business_date, r.rule_id, r.rule_version,
  FLOOR(GREATEST(s.amount, 0) * r.points_per_unit) AS points,
  FLOOR(GREATEST(s.amount, 0) * r.points_per_unit)
    - FLOOR(GREATEST(s.amount - s.back_early, 0) * r.points_per_unit) AS back_pending,
  FLOOR(GREATEST(s.amount - s.back_early, 0) * r.points_per_unit)
    - FLOOR(GREATEST(s.amount - s.back_early - s.back_late, 0) * r.points_per_unit) AS back_active,
  s.returned_at, s.active_on, s.expires_on
FROM (
  SELECT o.receipt, o.customer_id, o.sold_at, o.business_date, o.amount,
    COALESCE(SUM(CASE WHEN b.business_date < o.active_on THEN -b.line_total END), 0) AS back_early,
    COALESCE(SUM(CASE WHEN b.business_date >= o.active_on THEN -b.line_total END), 0) AS back_late,
    MAX(CAST(b.event_time AS TIMESTAMP_LTZ(3))) AS returned_at, o.active_on,
    o.business_date + INTERVAL '${LOYALTY_EXPIRE_DAYS:-365}' DAY(3) AS expires_on
  FROM (
    SELECT transaction_id AS receipt, MAX(customer_id) AS customer_id, MIN(CAST(event_time AS TIMESTAMP_LTZ(3))) AS sold_at,
      MIN(business_date) AS business_date, SUM(line_total) AS amount,
      MIN(business_date) + INTERVAL '${LOYALTY_PENDING_DAYS:-14}' DAY(3) AS active_on
    FROM loyalty_sale_once
    WHERE txn_type = 'sale' OR original_transaction_id IS NULL
    GROUP BY transaction_id
    HAVING SUM(line_total) > 0) AS o
  LEFT JOIN loyalty_sale_once AS b
    ON b.original_transaction_id = o.receipt AND b.txn_type IN ('return', 'void', 'cancel')
  GROUP BY o.receipt, o.customer_id, o.sold_at, o.business_date, o.amount, o.active_on) AS s
JOIN loyalty_earn_rule AS r
  ON s.business_date BETWEEN r.valid_from AND r.valid_to
LEFT JOIN (
  SELECT DISTINCT ref_id FROM loyalty_entry WHERE entry_type = 'earn' AND ref_type = 'sale') AS e
  ON e.ref_id = s.receipt
WHERE e.ref_id IS NULL;

-- Every movement of points: from one account into another, never less than zero of them for what
-- is made here; an entry of the till's ledger with a negative number goes the other way.
CREATE VIEW loyalty_movement AS
SELECT 'earn/' || receipt AS entry_id, 'earn' AS entry_type, customer_id, sold_at AS moved_at,
  'issued' AS from_account, 'pending' AS to_account, points, rule_id, rule_version
FROM loyalty_earned
UNION ALL
SELECT 'reverse/pending/' || receipt, 'reverse', customer_id, returned_at, 'pending', 'reversed',
  back_pending, rule_id, rule_version
FROM loyalty_earned WHERE back_pending > 0
UNION ALL
SELECT 'release/' || receipt, 'release', e.customer_id,
  TIMESTAMPADD(DAY, ${LOYALTY_PENDING_DAYS:-14}, e.sold_at), 'pending', 'active',
  e.points - e.back_pending, e.rule_id, e.rule_version
FROM loyalty_earned AS e CROSS JOIN loyalty_today AS t WHERE t.today >= e.active_on
UNION ALL
SELECT 'reverse/active/' || receipt, 'reverse', customer_id, returned_at, 'active', 'reversed',
  back_active, rule_id, rule_version
FROM loyalty_earned WHERE back_active > 0
UNION ALL
-- Flink unites an event time with its like alone: here it is a time like those above.
SELECT l.entry_id, l.entry_type, l.customer_id, CAST(l.event_time AS TIMESTAMP_LTZ(3)),
  CASE l.entry_type
    WHEN 'earn' THEN 'issued' WHEN 'adjust' THEN 'adjusted' WHEN 'transfer' THEN 'transfer'
    WHEN 'reverse' THEN 'reversed' WHEN 'burn' THEN 'redeemed' WHEN 'expire' THEN 'expired'
    WHEN 'hold' THEN 'active' ELSE CASE WHEN h.entry_id IS NULL THEN 'pending' ELSE 'locked' END
  END,
  CASE WHEN l.entry_type = 'hold' THEN 'locked'
    WHEN l.state IN ('pending', 'locked') AND l.entry_type <> 'release' THEN l.state
    ELSE 'active' END,
  -- A burn of -5 moves -5 from `redeemed` into `active`: five the other way.
  CASE WHEN l.entry_type IN ('hold', 'release') THEN ABS(l.points) ELSE l.points END,
  l.rule_id, l.rule_version
FROM loyalty_entry_once AS l
LEFT JOIN (SELECT DISTINCT entry_id FROM loyalty_entry WHERE entry_type = 'hold') AS h
  ON h.entry_id = l.ref_id AND l.ref_type = 'entry';

-- What was spent: first in, first out, so that the oldest points go first.
CREATE VIEW loyalty_spent AS
SELECT customer_id, points, CAST(moved_at AS DATE) AS spent_on FROM (
  SELECT customer_id, -points AS points, event_time AS moved_at FROM loyalty_entry_once
  WHERE entry_type = 'burn') AS burnt;

-- Key: (customer_id, expires_on). Points of purchases that are over and were not spent before.
-- Up to a day, what has expired is the greatest excess of points due over points spent until then.
CREATE VIEW loyalty_due AS
SELECT d.customer_id, d.expires_on, d.due - COALESCE(SUM(s.points), 0) AS excess
FROM (
  SELECT a.customer_id, a.expires_on, SUM(b.lot) AS due
  FROM (
    SELECT DISTINCT e.customer_id, e.expires_on
    FROM loyalty_earned AS e CROSS JOIN loyalty_today AS t WHERE e.expires_on <= t.today) AS a
  JOIN (
    SELECT customer_id, expires_on, points - back_pending - back_active AS lot
    FROM loyalty_earned) AS b
    ON b.customer_id = a.customer_id AND b.expires_on <= a.expires_on
  GROUP BY a.customer_id, a.expires_on) AS d
LEFT JOIN loyalty_spent AS s
  ON s.customer_id = d.customer_id AND s.spent_on < d.expires_on
GROUP BY d.customer_id, d.expires_on, d.due;

CREATE MATERIALIZED VIEW loyalty_expiry AS
SELECT * FROM (
  SELECT a.customer_id, a.expires_on,
    GREATEST(MAX(b.excess), 0) - GREATEST(
      COALESCE(MAX(CASE WHEN b.expires_on < a.expires_on THEN b.excess END), 0), 0) AS points
  FROM loyalty_due AS a
  JOIN loyalty_due AS b ON b.customer_id = a.customer_id AND b.expires_on <= a.expires_on
  GROUP BY a.customer_id, a.expires_on) AS steps
WHERE points > 0;

-- Key: (entry_id, side). Each movement twice: off one account, on the other.
CREATE VIEW loyalty_all AS
SELECT entry_id, entry_type, customer_id, moved_at, from_account, to_account, points, rule_id,
  rule_version
FROM loyalty_movement
UNION ALL
SELECT 'expire/' || customer_id || '/' || CAST(expires_on AS STRING), 'expire', customer_id,
  CAST(CAST(expires_on AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)), 'active', 'expired', points,
  'expiry', 1
FROM loyalty_expiry;

CREATE MATERIALIZED VIEW loyalty_posting AS
SELECT entry_id, 'from' AS side, entry_type, customer_id, moved_at, from_account AS account,
  -points AS points, rule_id, rule_version
FROM loyalty_all
UNION ALL
SELECT entry_id, 'to', entry_type, customer_id, moved_at, to_account, points, rule_id, rule_version
FROM loyalty_all;

-- The proof: entries that do not add up to zero, or lack a side. It is empty, or the ledger is
-- wrong.
CREATE MATERIALIZED VIEW loyalty_unbalanced AS
SELECT entry_id, SUM(points) AS points, COUNT(*) AS sides
FROM loyalty_posting GROUP BY entry_id
HAVING SUM(points) <> 0 OR COUNT(*) <> 2;
