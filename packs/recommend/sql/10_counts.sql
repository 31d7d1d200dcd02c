-- What goes with what, and what whom. Everything is a count that fades.
--
-- A count fades without a clock: an event of day d weighs 2^((d - 2020-01-01) / half-life). Newer
-- events weigh more, and the ratio of two counts is at any time what fading would have made it,
-- so that nothing has to be computed anew when a day passes.

CREATE VIEW recommend_bought AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM sale_line)
WHERE nth = 1 AND txn_type = 'sale' AND line_type = 'item' AND sku IS NOT NULL
  AND unit_price > 0;
SET 'rialto.share.recommend_bought' = 'true';

-- One row: the last day with sales, and the day before which something was learned of everybody.
-- What all have bought or looked at today counts from tomorrow on: else each sale would change
-- every list, for nobody's good. What somebody does counts at once in their own lists. On the very
-- first day there is nothing else to learn from, so that day counts as it goes on.
CREATE VIEW recommend_today AS
SELECT MAX(business_date) AS today,
  CASE WHEN MIN(business_date) = MAX(business_date) THEN TIMESTAMPADD(DAY, 1, MAX(business_date))
    ELSE MAX(business_date) END AS learned_before
FROM sale_line;

-- Key: (customer_id, sku). How much a customer likes to buy an article again.
-- `liking` is the count as it stood on the customer's last day with a purchase of it.
CREATE MATERIALIZED VIEW recommend_repeat AS
SELECT customer_id, sku, purchases, last_on, CAST(ROUND(LOG2(weight), 6) AS DECIMAL(18, 6)) AS power
FROM (
  SELECT customer_id, sku, COUNT(*) AS purchases, MAX(business_date) AS last_on,
    SUM(POWER(2, TIMESTAMPDIFF(DAY, DATE '2020-01-01', business_date)
      / ${RECOMMEND_REPEAT_HALF_LIFE:-90.0E0})) AS weight
  FROM (
    SELECT DISTINCT customer_id, sku, transaction_id, business_date
    FROM recommend_bought WHERE customer_id IS NOT NULL) AS baskets
  GROUP BY customer_id, sku) AS counted;

-- Pieces over all locations. A SKU without any movement is not counted: nobody knows.
CREATE MATERIALIZED VIEW recommend_out_of_stock AS
SELECT sku, SUM(quantity) AS on_hand FROM (
  SELECT sku, quantity, ROW_NUMBER() OVER (
    PARTITION BY CASE WHEN epc IS NULL THEN event_id ELSE epc || '/' || ref_id END
    ORDER BY event_time DESC) AS nth
  FROM stock_movement WHERE action IN ('add', 'delete')) AS moved
WHERE nth = 1 GROUP BY sku HAVING SUM(quantity) <= 0;

-- Key: sku. The most popular articles that can be had, by how many bought them, fading fast.
CREATE MATERIALIZED VIEW recommend_popular AS
SELECT sku, power, place FROM (
  SELECT c.sku, c.power, ROW_NUMBER() OVER (ORDER BY c.power DESC, c.sku) AS place FROM (
    SELECT sku, CAST(ROUND(LOG2(SUM(POWER(2, TIMESTAMPDIFF(DAY, DATE '2020-01-01', business_date)
      / ${RECOMMEND_POPULAR_HALF_LIFE:-14.0E0}))), 6) AS DECIMAL(18, 6)) AS power
    FROM (
      SELECT DISTINCT sku, transaction_id, business_date
      FROM recommend_bought CROSS JOIN recommend_today
      WHERE business_date < learned_before) AS baskets
    GROUP BY sku) AS c
  LEFT JOIN recommend_out_of_stock AS o ON o.sku = c.sku
  WHERE o.sku IS NULL) AS ranked
WHERE place <= ${RECOMMEND_POPULAR_POOL:-100};

-- What is in a basket that something is learned of; of a long receipt only the first lines count,
-- since everything would go with everything.
CREATE VIEW recommend_basket AS
SELECT transaction_id, sku
FROM recommend_bought CROSS JOIN recommend_today
WHERE business_date < learned_before AND line_no <= ${RECOMMEND_BASKET_LINES:-20};
SET 'rialto.share.recommend_basket' = 'true';

-- Key: (sku, with_sku). Bought in one basket.
CREATE MATERIALIZED VIEW recommend_bought_with AS
SELECT sku, with_sku, baskets, place FROM (
  SELECT sku, with_sku, baskets, ROW_NUMBER() OVER (
    PARTITION BY sku ORDER BY baskets DESC, with_sku) AS place
  FROM (
    SELECT a.sku, b.sku AS with_sku, COUNT(DISTINCT a.transaction_id) AS baskets
    FROM recommend_basket AS a
    JOIN recommend_basket AS b
      ON b.transaction_id = a.transaction_id AND b.sku <> a.sku
    GROUP BY a.sku, b.sku) AS pairs)
WHERE place <= ${RECOMMEND_NEIGHBOURS:-20};

-- Looked at: the articles of a session.
CREATE VIEW recommend_viewed AS
SELECT session_id, customer_id, item AS sku, MAX(event_time) AS viewed_at FROM (
  SELECT *, sku AS item, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM behavior_event
  WHERE action IN ('product_viewed', 'cart_added') AND session_id IS NOT NULL
    AND sku IS NOT NULL) AS steps
WHERE nth = 1 GROUP BY session_id, customer_id, item;
SET 'rialto.share.recommend_viewed' = 'true';

-- Key: (session_id, sku). The last ${RECOMMEND_SESSION_ITEMS:-5} articles of a session. They are not
-- numbered: a click would move every number, and all that is counted by it.
CREATE MATERIALIZED VIEW recommend_session_item AS
SELECT session_id, sku, viewed_at FROM (
  SELECT session_id, sku, viewed_at, ROW_NUMBER() OVER (
    PARTITION BY session_id ORDER BY viewed_at DESC, sku) AS place
  FROM (
    SELECT session_id, sku, MAX(viewed_at) AS viewed_at
    FROM recommend_viewed GROUP BY session_id, sku) AS items)
WHERE place <= ${RECOMMEND_SESSION_ITEMS:-5};

-- What sessions looked at before today, or on the first day.
CREATE VIEW recommend_learned_item AS
SELECT i.session_id, i.sku
FROM recommend_session_item AS i
CROSS JOIN (
  SELECT CASE WHEN MIN(FLOOR(viewed_at TO DAY)) = MAX(FLOOR(viewed_at TO DAY))
      THEN MAX(FLOOR(viewed_at TO DAY)) + INTERVAL '1' DAY
      ELSE MAX(FLOOR(viewed_at TO DAY)) END AS learned_before
  FROM recommend_session_item) AS t
WHERE i.viewed_at < t.learned_before;
SET 'rialto.share.recommend_learned_item' = 'true';

-- Key: (sku, with_sku). Looked at in one session.
CREATE MATERIALIZED VIEW recommend_viewed_with AS
SELECT sku, with_sku, sessions, place FROM (
  SELECT sku, with_sku, sessions, ROW_NUMBER() OVER (
    PARTITION BY sku ORDER BY sessions DESC, with_sku) AS place
  FROM (
    SELECT a.sku, b.sku AS with_sku, COUNT(DISTINCT a.session_id) AS sessions
    FROM recommend_learned_item AS a
    JOIN recommend_learned_item AS b ON b.session_id = a.session_id AND b.sku <> a.sku
    GROUP BY a.sku, b.sku) AS pairs)
WHERE place <= ${RECOMMEND_NEIGHBOURS:-20};

-- Key: (sku, with_sku). Bought or looked at together: a basket counts as two sessions.
CREATE MATERIALIZED VIEW recommend_goes_with AS
SELECT sku, with_sku, score, reason, place FROM (
  SELECT sku, with_sku, score, reason, ROW_NUMBER() OVER (
    PARTITION BY sku ORDER BY score DESC, with_sku) AS place
  FROM (
    SELECT sku, with_sku, SUM(score) AS score, MAX(reason) AS reason
    FROM (
      SELECT sku, with_sku, 1000 * baskets AS score, 'Bought together with ' AS reason
      FROM recommend_bought_with
      UNION ALL
      SELECT sku, with_sku, 500 * sessions, 'Looked at together with '
      FROM recommend_viewed_with) AS parts
    GROUP BY sku, with_sku) AS pairs)
WHERE place <= ${RECOMMEND_NEIGHBOURS:-20};
