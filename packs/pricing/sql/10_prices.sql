-- Prices as they stand. Each price event counts once: the newest word is not changed by a copy.

-- The hour and the day that it is, by the events themselves, and the newest hours of the two feeds.
CREATE MATERIALIZED VIEW pricing_now AS
SELECT MAX(at_hour) AS now_hour, CAST(MAX(at_hour) AS DATE) AS today,
  MAX(CASE WHEN feed = 'price' THEN at_hour END) AS price_hour,
  MAX(CASE WHEN feed = 'stock' THEN at_hour END) AS stock_hour
FROM (
  SELECT 'price' AS feed, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS at_hour
  FROM price_event
  UNION ALL
  SELECT 'stock' AS feed, FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR) AS at_hour
  FROM stock_movement);

-- Of events of the same time the one with the greatest id is the newest. Time and id are one text:
-- by one column alone Flink keeps the newest row rightly (docs/divergences/flink-behaviours.md).
CREATE VIEW pricing_event AS
SELECT *, CAST(CAST(event_time AS TIMESTAMP(3)) AS STRING) || '/' || event_id AS written
FROM price_event;

-- Our list prices.
CREATE VIEW pricing_list AS
SELECT sku, written, CAST(event_time AS TIMESTAMP(3)) AS set_at, amount, currency, decision_id
FROM pricing_event
WHERE price_type = 'list' AND location_id IS NULL;

CREATE VIEW pricing_current AS
SELECT sku, set_at, amount AS price, currency, decision_id
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY written DESC) AS place
  FROM pricing_list
)
WHERE place = 1;

-- The regular price: the newest that somebody said and no decision. Where there is none, what we charge.
CREATE VIEW pricing_regular AS
SELECT sku, amount AS regular
FROM (
  SELECT sku, amount, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY written DESC) AS place
  FROM pricing_list
  WHERE decision_id IS NULL
)
WHERE place = 1;

-- What we pay: the newest cost, or else what the article's own row says.
CREATE VIEW pricing_cost AS
SELECT s.sku, COALESCE(c.amount, s.unit_cost) AS unit_cost, s.minimum_advertised_price
FROM (
  SELECT sku, unit_cost, minimum_advertised_price
  FROM (
    SELECT *, ROW_NUMBER() OVER (
        PARTITION BY sku ORDER BY CAST(updated_at AS TIMESTAMP(3)) DESC
      ) AS place
    FROM sku
  )
  WHERE place = 1
) AS s
LEFT JOIN (
  SELECT sku, amount
  FROM (
    SELECT sku, amount, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY written DESC) AS place
    FROM pricing_event WHERE price_type = 'cost'
  )
  WHERE place = 1
) AS c ON s.sku = c.sku;

-- What others charge for what they have, where we are sure that it is the same article and the
-- price is not too old: the newest word of each competitor.
CREATE MATERIALIZED VIEW pricing_competitor AS
SELECT
  c.sku, COUNT(*) AS competitors, MIN(c.amount) AS lowest, AVG(c.amount) AS mean,
  MAX(c.seen_at) AS newest
FROM (
  SELECT sku, competitor_id, amount, in_stock, match_confidence,
    CAST(event_time AS TIMESTAMP(3)) AS seen_at,
    ROW_NUMBER() OVER (PARTITION BY sku, competitor_id ORDER BY written DESC) AS place
  FROM pricing_event
  WHERE price_type = 'competitor'
) AS c
CROSS JOIN pricing_now AS n
WHERE c.place = 1 AND c.in_stock AND c.match_confidence >= ${MATCH_CONFIDENCE:-0.8}
  AND TIMESTAMPDIFF(HOUR, c.seen_at, n.now_hour) <= ${COMPETITOR_HOURS:-48}
GROUP BY c.sku;

-- The lowest list price of the last 30 days: what an announced reduction has to be measured
-- against (Directive 98/6/EC, article 6a). A price counts as long as it stood, so the one that
-- was in force when the 30 days began is among them.
CREATE VIEW pricing_history AS
SELECT *, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY written) AS nth FROM pricing_list;

CREATE MATERIALIZED VIEW pricing_reference AS
SELECT p.sku, MIN(p.amount) AS lowest_30_days
FROM (
  SELECT a.sku, a.amount, b.set_at AS until
  FROM pricing_history AS a
  LEFT JOIN pricing_history AS b ON a.sku = b.sku AND b.nth = a.nth + 1
) AS p
CROSS JOIN pricing_now AS n
WHERE p.until IS NULL OR TIMESTAMPDIFF(DAY, CAST(p.until AS DATE), n.today) < 30
GROUP BY p.sku;
