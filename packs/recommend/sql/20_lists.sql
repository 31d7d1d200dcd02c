-- The lists. Two for a customer, `buy_again` and `discover`, which are never one list: what is good
-- at the one is bad at the other; and one for a session, `session`, which follows every click.

-- Bought so lately that nobody wants it again: one row for each day on which that holds, so that
-- a new day is a look-up and not a walk through all purchases.
CREATE VIEW recommend_just_bought AS
SELECT DISTINCT b.customer_id, b.sku
FROM (
  SELECT customer_id, sku, TIMESTAMPADD(DAY, n.days, business_date) AS held_on
  FROM recommend_bought
  CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6)) AS n (days)
  WHERE customer_id IS NOT NULL AND n.days < ${RECOMMEND_JUST_BOUGHT_DAYS:-1}) AS b
JOIN recommend_today AS t ON b.held_on = t.today;

-- What is popular, each against the most popular one: of that so much counts beside what is a
-- customer's own. Of the weights 0.05 to 1 the one that hit best on real data; see
-- docs/packs/recommend.md.
CREATE VIEW recommend_popular_score AS
SELECT p.sku, p.place,
  ${RECOMMEND_POPULAR_WEIGHT:-0.7E0} * POWER(2, CAST(p.power - t.power AS DOUBLE)) AS score
FROM recommend_popular AS p
JOIN (SELECT MAX(power) AS power FROM recommend_popular) AS t ON p.power <= t.power;

-- How far down the popular ones somebody has to look to find as many as a list has that are new: so
-- many places, and one more for each that was bought before. Not all of them are tried with everybody.
CREATE VIEW recommend_reach AS
SELECT r.customer_id, COUNT(p.sku) + ${RECOMMEND_N:-10} AS places
FROM recommend_repeat AS r LEFT JOIN recommend_popular AS p ON p.sku = r.sku
GROUP BY r.customer_id;

-- The most popular articles that a customer has never bought.
CREATE VIEW recommend_new AS
SELECT customer_id, sku, score, popular_place, place FROM (
  SELECT c.customer_id, p.sku, p.score, p.place AS popular_place, ROW_NUMBER() OVER (
    PARTITION BY c.customer_id ORDER BY p.place) AS place
  FROM recommend_reach AS c
  JOIN recommend_popular_score AS p ON p.place <= c.places
  LEFT JOIN recommend_repeat AS r ON r.customer_id = c.customer_id AND r.sku = p.sku
  WHERE r.sku IS NULL)
WHERE place <= ${RECOMMEND_N:-10};
SET 'rialto.share.recommend_new' = 'true';

-- What to buy again: the customer's own articles, each against the one that is liked most, the more
-- so where it is popular; and of those that are new to the customer no others than `discover` has.
CREATE VIEW recommend_again AS
SELECT g.customer_id, g.sku, CAST(ROUND(g.score, 9) AS DECIMAL(18, 9)) AS power, g.reason
FROM (
  SELECT r.customer_id, r.sku,
    POWER(2, CAST(r.power - m.power AS DOUBLE)) + COALESCE(p.score, 0E0) AS score,
    'Bought ' || CAST(r.purchases AS STRING) || ' times, last on ' || CAST(r.last_on AS STRING)
      AS reason
  FROM recommend_repeat AS r
  JOIN (
    SELECT customer_id, MAX(power) AS power FROM recommend_repeat GROUP BY customer_id) AS m
    ON m.customer_id = r.customer_id
  LEFT JOIN recommend_popular_score AS p ON p.sku = r.sku
  UNION ALL
  SELECT customer_id, sku, score, 'Popular: number ' || CAST(popular_place AS STRING)
  FROM recommend_new) AS g
LEFT JOIN recommend_out_of_stock AS o ON o.sku = g.sku
LEFT JOIN recommend_just_bought AS j ON j.customer_id = g.customer_id AND j.sku = g.sku
WHERE o.sku IS NULL AND j.sku IS NULL;

-- Key: (customer_id, list_id, place). Exactly ${RECOMMEND_N:-10}, as long as there are so many.
CREATE MATERIALIZED VIEW recommend_customer_list AS
SELECT customer_id, 'buy_again' AS list_id, place, sku, reason FROM (
  SELECT customer_id, sku, reason, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY power DESC, sku) AS place
  FROM recommend_again)
WHERE place <= ${RECOMMEND_N:-10}
UNION ALL
SELECT customer_id, 'discover', place, sku, 'Popular: number ' || CAST(popular_place AS STRING)
FROM recommend_new;

-- What sessions have looked at that are still going on: something was looked at in the data's last
-- hour or in the ${RECOMMEND_SESSION_HOURS:-1} before it. Nobody asks what to show to the others.
-- An article counts twice as much as one of ${RECOMMEND_SESSION_HALF_LIFE:-3.0E0} minutes before, by
-- the time since the session began: so a click changes nothing of the others. Behind 36 doublings
-- all count the same.
CREATE VIEW recommend_live_item AS
SELECT i.session_id, i.sku, POWER(2E0, LEAST(36E0, TIMESTAMPDIFF(SECOND, l.began_at, i.viewed_at)
    / (60E0 * ${RECOMMEND_SESSION_HALF_LIFE:-3.0E0}))) AS weight
FROM recommend_session_item AS i
JOIN (
  SELECT s.session_id, s.began_at
  FROM (
    SELECT session_id, MIN(viewed_at) AS began_at, MAX(FLOOR(viewed_at TO HOUR)) AS last_hour
    FROM recommend_viewed GROUP BY session_id
  ) AS s
  CROSS JOIN (SELECT MAX(FLOOR(viewed_at TO HOUR)) AS this_hour FROM recommend_viewed) AS h
  WHERE s.last_hour >= h.this_hour - INTERVAL '${RECOMMEND_SESSION_HOURS:-1}' HOUR
) AS l ON l.session_id = i.session_id;

-- Key: (session_id, place). By what was just looked at: articles that others looked at or bought
-- with it, then popular ones; none that the session has seen or its customer has just bought. A
-- session that is over has no list.
CREATE MATERIALIZED VIEW recommend_session_list AS
SELECT session_id, place, sku, reason FROM (
  SELECT session_id, sku, reason, ROW_NUMBER() OVER (
    PARTITION BY session_id ORDER BY score DESC, sku) AS place
  FROM (
    SELECT n.session_id, n.sku, SUM(n.score) AS score, MAX(n.reason) AS reason
    FROM (
      SELECT i.session_id, w.with_sku AS sku, CAST(w.score * i.weight AS BIGINT) AS score,
        w.reason || i.sku AS reason
      FROM recommend_live_item AS i JOIN recommend_goes_with AS w ON w.sku = i.sku
      WHERE w.place <= ${RECOMMEND_SESSION_NEIGHBOURS:-10}
      UNION ALL
      SELECT s.session_id, p.sku, CAST(100 - p.place AS BIGINT),
        'A popular one: number ' || CAST(p.place AS STRING)
      FROM (SELECT DISTINCT session_id FROM recommend_live_item) AS s
      CROSS JOIN recommend_popular AS p
      WHERE p.place <= ${RECOMMEND_SESSION_POPULAR:-30}) AS n
    LEFT JOIN recommend_out_of_stock AS o ON o.sku = n.sku
    LEFT JOIN recommend_session_item AS i ON i.session_id = n.session_id AND i.sku = n.sku
    LEFT JOIN (
      SELECT DISTINCT v.session_id, j.sku
      FROM recommend_viewed AS v JOIN recommend_just_bought AS j ON j.customer_id = v.customer_id
    ) AS j ON j.session_id = n.session_id AND j.sku = n.sku
    WHERE o.sku IS NULL AND i.sku IS NULL AND j.sku IS NULL
    GROUP BY n.session_id, n.sku) AS scored)
WHERE place <= ${RECOMMEND_N:-10};

-- Key: (subject_type, subject_id, list_id, place). All lists.
CREATE MATERIALIZED VIEW recommendation AS
SELECT 'customer' AS subject_type, customer_id AS subject_id, list_id, place, sku, reason
FROM recommend_customer_list
UNION ALL
SELECT 'session', session_id, 'session', place, sku, reason FROM recommend_session_list;
