-- Who is who.
--
-- A customer may be known by several ids: two accounts, a card that was registered later, a
-- browser before its login. All views of this pack speak of the id that remains. The history of an
-- id moves with a merge and moves back with an unmerge, because every figure is computed from the
-- events under the id they came with and joined with who that is now.

CREATE VIEW customers_identity_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM identity_event)
WHERE nth = 1;

-- The last word on every id that was ever merged: into which one, or into none any more.
-- merge: customer_id goes into target_customer_id. unmerge: target_customer_id leaves customer_id.
CREATE VIEW customers_merge_step AS
SELECT merged_id, into_id, merged_at FROM (
  SELECT merged_id, into_id, event_time AS merged_at, ROW_NUMBER() OVER (
    PARTITION BY merged_id ORDER BY event_time DESC, event_id DESC) AS nth
  FROM (
    SELECT event_id, event_time,
      CASE WHEN op = 'merge' THEN customer_id ELSE target_customer_id END AS merged_id,
      CASE WHEN op = 'merge' THEN target_customer_id END AS into_id
    FROM customers_identity_once
    WHERE op IN ('merge', 'unmerge') AND target_customer_id <> customer_id) AS words)
WHERE nth = 1 AND into_id IS NOT NULL;

-- Key: customer_id, an id that was merged. `remains` is who it is now; chains of up to four merges
-- are followed. A circle, or a longer chain, is nobody's wish: the id then stays itself, and
-- `conflict` says so.
CREATE MATERIALIZED VIEW customer_merge AS
SELECT customer_id, CASE WHEN conflict THEN customer_id ELSE last_id END AS remains, conflict,
  merged_at
FROM (
  SELECT a.merged_id AS customer_id, a.merged_at,
    COALESCE(d.into_id, c.into_id, b.into_id, a.into_id) AS last_id,
    e.merged_id IS NOT NULL OR COALESCE(a.merged_id = b.into_id, FALSE)
      OR COALESCE(a.merged_id = c.into_id, FALSE)
      OR COALESCE(a.merged_id = d.into_id, FALSE) AS conflict
  FROM customers_merge_step AS a
  LEFT JOIN customers_merge_step AS b ON b.merged_id = a.into_id
  LEFT JOIN customers_merge_step AS c ON c.merged_id = b.into_id
  LEFT JOIN customers_merge_step AS d ON d.merged_id = c.into_id
  LEFT JOIN customers_merge_step AS e ON e.merged_id = d.into_id) AS chains;

-- Key: (id_type, id_hash). Whom a login, device, card or browser belongs to: the last identify or
-- alias counts. An anonymous_id is itself its hash.
CREATE MATERIALIZED VIEW customer_identity AS
SELECT l.id_type, l.id_hash, COALESCE(m.remains, l.customer_id) AS customer_id,
  l.customer_id AS linked_id, l.evidence, l.event_time AS linked_at
FROM (
  SELECT * FROM (
    SELECT id_type, id_hash, customer_id, evidence, event_time, ROW_NUMBER() OVER (
      PARTITION BY id_type, id_hash ORDER BY event_time DESC, event_id DESC) AS place
    FROM customers_identity_once
    WHERE op IN ('identify', 'alias') AND id_type IS NOT NULL AND id_hash IS NOT NULL)
  WHERE place = 1) AS l
LEFT JOIN customer_merge AS m ON m.customer_id = l.customer_id;

-- Key: customer_id. May we send advertising? The last consent, withdrawal or unsubscription of any
-- of the customer's ids counts; without one, what the customer table says; without that, no.
CREATE MATERIALIZED VIEW customer_consent AS
SELECT customer_id, allowed = 1 AS allowed, word, said_at FROM (
  SELECT customer_id, allowed, word, said_at, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY strength DESC, said_at DESC, allowed, word) AS place
  FROM (
    SELECT COALESCE(m.remains, w.customer_id) AS customer_id, w.allowed, w.word, w.said_at,
      w.strength
    FROM (
      SELECT customer_id, CASE WHEN op = 'consent_granted' THEN 1 ELSE 0 END AS allowed,
        op AS word, event_time AS said_at, 1 AS strength
      FROM identity_event
      WHERE op IN ('consent_granted', 'consent_withdrawn') AND purpose = 'marketing'
      UNION ALL
      SELECT customer_id, 0, 'unsubscribed', event_time, 1
      FROM contact_event WHERE kind = 'unsubscribed'
      UNION ALL
      SELECT customer_id, CASE WHEN marketing_consent THEN 1 ELSE 0 END, 'customer table',
        updated_at, 0
      FROM customer WHERE marketing_consent IS NOT NULL) AS w
    LEFT JOIN customer_merge AS m ON m.customer_id = w.customer_id) AS words)
WHERE place = 1;
