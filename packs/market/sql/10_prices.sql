-- Are we dear or cheap? Our price of a SKU beside what competitors ask for the same.

-- The newest word on how late it is, to the hour; no clock is read.
CREATE VIEW market_price_clock AS
SELECT MAX(FLOOR(CAST(event_time AS TIMESTAMP(3)) TO HOUR)) AS now_hour FROM price_event;

-- The last price that each competitor was seen with. It counts if the article is surely the same,
-- can be bought, and was seen not too long ago.
CREATE VIEW market_competitor_price AS
SELECT p.sku, p.competitor_id, p.amount, p.currency, p.seen_at
FROM (
  SELECT sku, competitor_id, amount, currency, in_stock, match_confidence,
    CAST(event_time AS TIMESTAMP(3)) AS seen_at,
    CAST(event_time AS DATE) AS seen_on,
    ROW_NUMBER() OVER (PARTITION BY sku, competitor_id ORDER BY event_time DESC) AS nth
  FROM price_event
  WHERE price_type = 'competitor' AND competitor_id IS NOT NULL) AS p
JOIN (SELECT CAST(now_hour AS DATE) AS today FROM market_price_clock) AS c
ON p.seen_on >= c.today - INTERVAL '${MARKET_PRICE_DAYS:-14}' DAY
WHERE p.nth = 1
  AND p.amount > 0
  AND COALESCE(p.in_stock, TRUE)
  AND COALESCE(p.match_confidence, 1) >= ${MARKET_LEAST_CONFIDENCE:-0.8};

-- Articles as they were described last.
CREATE VIEW market_sku AS
SELECT sku, category_id, list_price, currency FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY updated_at DESC) AS nth FROM sku)
WHERE nth = 1;

-- Our list price: the last event, else what the article's record says.
CREATE VIEW market_list_price AS
SELECT sku, amount, currency FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY event_time DESC) AS nth
  FROM price_event
  WHERE price_type = 'list' AND location_id IS NULL)
WHERE nth = 1;

-- The lowest promotion or markdown that is in force now, for everybody.
CREATE VIEW market_promo_price AS
SELECT p.sku, p.currency, MIN(p.amount) AS amount
FROM (
  SELECT * FROM (
    SELECT sku, currency, amount, CAST(event_time AS TIMESTAMP(3)) AS said_at,
      CAST(valid_from AS TIMESTAMP(3)) AS begins, CAST(valid_to AS TIMESTAMP(3)) AS ends,
      ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
    FROM price_event
    WHERE price_type IN ('promo', 'markdown') AND location_id IS NULL)
  WHERE nth = 1) AS p
JOIN market_price_clock AS c
ON COALESCE(p.begins, p.said_at) < c.now_hour + INTERVAL '1' HOUR
  AND (p.ends IS NULL OR p.ends > c.now_hour)
GROUP BY p.sku, p.currency;

CREATE VIEW market_our_price AS
SELECT s.sku, COALESCE(s.category_id, 'unknown') AS category_id, s.currency,
  CASE WHEN p.amount < s.amount THEN p.amount ELSE s.amount END AS our_price
FROM (
  SELECT a.sku, a.category_id, COALESCE(l.amount, a.list_price) AS amount,
    COALESCE(l.currency, a.currency) AS currency
  FROM market_sku AS a LEFT JOIN market_list_price AS l ON a.sku = l.sku) AS s
LEFT JOIN market_promo_price AS p ON s.sku = p.sku AND s.currency = p.currency
WHERE s.amount > 0;

-- price_index: our price in percent of the median of theirs; 100 is as they ask, 110 is a tenth
-- dearer. Prices in another currency than ours are not compared.
CREATE MATERIALIZED VIEW market_price_index AS
SELECT sku, category_id, currency, our_price, competitors, lowest, median, highest,
  CAST(100 * our_price / NULLIF(median, 0) AS DECIMAL(18, 2)) AS price_index, last_seen
FROM (
  SELECT o.sku, o.category_id, o.currency, o.our_price,
    COUNT(*) AS competitors,
    MIN(c.amount) AS lowest,
    CAST(PERCENTILE(c.amount, 0.5) AS DECIMAL(18, 4)) AS median,
    MAX(c.amount) AS highest,
    MAX(c.seen_at) AS last_seen
  FROM market_our_price AS o
  JOIN market_competitor_price AS c ON o.sku = c.sku AND o.currency = c.currency
  GROUP BY o.sku, o.category_id, o.currency, o.our_price);

-- A category's index is the mean of its SKUs' that somebody else sells, each with the same weight.
CREATE MATERIALIZED VIEW market_price_index_by_category AS
SELECT category_id, currency,
  CAST(AVG(price_index) AS DECIMAL(18, 2)) AS price_index,
  COUNT(*) AS skus,
  COUNT(*) FILTER (WHERE our_price > median) AS dearer,
  COUNT(*) FILTER (WHERE our_price < median) AS cheaper,
  COUNT(*) FILTER (WHERE our_price < lowest) AS cheapest
FROM market_price_index
GROUP BY category_id, currency;

-- There as long as we are far dearer, or far cheaper, than enough others.
CREATE MATERIALIZED VIEW market_price_alert AS
SELECT sku, category_id, currency,
  CASE WHEN price_index >= 100 THEN 'dear' ELSE 'cheap' END AS direction,
  our_price, median, price_index, competitors,
  'our price ' || CAST(CAST(our_price AS DECIMAL(18, 2)) AS STRING) || ' ' || currency || ' is '
    || CAST(price_index AS STRING) || ' percent of the median '
    || CAST(CAST(median AS DECIMAL(18, 2)) AS STRING) || ' of '
    || CAST(competitors AS STRING) || ' competitors' AS reason
FROM market_price_index
WHERE competitors >= ${MARKET_LEAST_COMPETITORS:-2}
  AND (price_index >= ${MARKET_DEAR_INDEX:-110} OR price_index <= ${MARKET_CHEAP_INDEX:-80});
