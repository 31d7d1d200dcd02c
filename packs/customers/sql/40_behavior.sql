-- What customers did beside buying: looked, was written to, paid, complained, waited.
-- Everything is counted for the id that an event came with, and then given to who that is.

CREATE VIEW customers_behavior_once AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM behavior_event)
WHERE nth = 1;

-- Key: (bare_id, anonymous_id).
CREATE VIEW customers_actor AS
SELECT customer_id AS bare_id, anonymous_id,
  COUNT(*) FILTER (WHERE action = 'product_viewed') AS views,
  COUNT(*) FILTER (WHERE action = 'search') AS searches,
  COUNT(*) FILTER (WHERE action = 'cart_added') AS cart_adds,
  COUNT(*) FILTER (WHERE action = 'wishlist_added') AS wishes,
  COUNT(*) FILTER (WHERE action = 'shared') AS shares,
  COUNT(*) FILTER (WHERE action = 'promo_viewed') AS promo_views,
  COUNT(*) FILTER (WHERE action = 'promo_clicked') AS promo_clicks,
  COUNT(*) FILTER (WHERE action = 'review_opened') AS reviews_read,
  COUNT(DISTINCT session_id) AS sessions, COUNT(DISTINCT device_id) AS devices,
  COUNT(DISTINCT CASE WHEN channel IN ('app', 'miniprogram') THEN session_id END) AS app_sessions,
  COUNT(DISTINCT CASE WHEN DAYOFWEEK(CAST(event_time AS DATE)) IN (1, 7) THEN session_id END)
    AS weekend_sessions,
  COUNT(DISTINCT CASE WHEN EXTRACT(HOUR FROM CAST(event_time AS TIMESTAMP(3))) >= 18
    THEN session_id END) AS evening_sessions,
  MAX(CASE WHEN action = 'cart_added' THEN event_time END) AS last_cart_at,
  MAX(event_time) AS last_seen_at
FROM customers_behavior_once
GROUP BY customer_id, anonymous_id;

-- Key: customer_id. A browser's steps before its login belong to whom it was linked with.
CREATE MATERIALIZED VIEW customer_behavior AS
SELECT b.*, CASE WHEN b.age_days >= 365 THEN 365 WHEN b.age_days >= 180 THEN 180
    WHEN b.age_days >= 90 THEN 90 WHEN b.age_days >= 30 THEN 30 ELSE 0 END AS age
FROM (
  SELECT s.customer_id, s.views, s.searches, s.cart_adds, s.wishes, s.shares, s.promo_views,
    s.promo_clicks, s.reviews_read, s.sessions, s.devices, s.app_sessions, s.weekend_sessions,
    s.evening_sessions, s.last_cart_at, s.last_seen_at,
    CASE WHEN TIMESTAMPDIFF(DAY, CAST(s.last_seen_at AS DATE), t.today) >= 365 THEN 365
      WHEN TIMESTAMPDIFF(DAY, CAST(s.last_seen_at AS DATE), t.today) >= 180 THEN 180
      WHEN TIMESTAMPDIFF(DAY, CAST(s.last_seen_at AS DATE), t.today) >= 90 THEN 90
      WHEN TIMESTAMPDIFF(DAY, CAST(s.last_seen_at AS DATE), t.today) >= 30 THEN 30
      ELSE 0 END AS age_days
  FROM (
    SELECT customer_id, SUM(views) AS views, SUM(searches) AS searches,
      SUM(cart_adds) AS cart_adds, SUM(wishes) AS wishes, SUM(shares) AS shares,
      SUM(promo_views) AS promo_views, SUM(promo_clicks) AS promo_clicks,
      SUM(reviews_read) AS reviews_read, SUM(sessions) AS sessions, SUM(devices) AS devices,
      SUM(app_sessions) AS app_sessions, SUM(weekend_sessions) AS weekend_sessions,
      SUM(evening_sessions) AS evening_sessions, MAX(last_cart_at) AS last_cart_at,
      MAX(last_seen_at) AS last_seen_at
    FROM (
      SELECT a.*, COALESCE(m.remains, a.bare_id, l.customer_id) AS customer_id
      FROM customers_actor AS a
      LEFT JOIN customer_merge AS m ON m.customer_id = a.bare_id
      LEFT JOIN customer_identity AS l
        ON l.id_type = 'anonymous_id' AND l.id_hash = a.anonymous_id) AS owned
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id) AS s
  CROSS JOIN customers_today AS t) AS b;

-- Key: customer_id. The category that was looked at most.
CREATE MATERIALIZED VIEW customer_viewed_category AS
SELECT customer_id, category_id, views, last_at FROM (
  SELECT customer_id, category_id, views, last_at, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY views DESC, category_id) AS place
  FROM (
    SELECT customer_id, category_id, SUM(views) AS views, MAX(last_at) AS last_at
    FROM (
      SELECT COALESCE(m.remains, a.bare_id, l.customer_id) AS customer_id, a.category_id, a.views,
        a.last_at
      FROM (
        SELECT customer_id AS bare_id, anonymous_id, category_id, COUNT(*) AS views,
          MAX(event_time) AS last_at
        FROM customers_behavior_once
        WHERE action = 'product_viewed' AND category_id IS NOT NULL
        GROUP BY customer_id, anonymous_id, category_id) AS a
      LEFT JOIN customer_merge AS m ON m.customer_id = a.bare_id
      LEFT JOIN customer_identity AS l
        ON l.id_type = 'anonymous_id' AND l.id_hash = a.anonymous_id) AS owned
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id, category_id) AS counted) AS ranked
WHERE place = 1;

-- Key: customer_id. Messages by what became of them; `recent` are those sent lately, by days.
CREATE MATERIALIZED VIEW customer_contact AS
SELECT customer_id, SUM(sent) AS sent, SUM(opened) AS opened, SUM(clicked) AS clicked,
  SUM(bounced) AS bounced, SUM(email_clicks) AS email_clicks, SUM(sms_clicks) AS sms_clicks,
  SUM(push_clicks) AS push_clicks, SUM(recent) AS recent, MAX(last_at) AS last_at
FROM (
  SELECT COALESCE(m.remains, c.customer_id) AS customer_id, c.sent, c.opened, c.clicked, c.bounced,
    c.email_clicks, c.sms_clicks, c.push_clicks, c.last_at,
    CASE WHEN c.sent_on > t.today - INTERVAL '${CUSTOMERS_CAP_DAYS:-30}' DAY(3)
      THEN c.sent ELSE 0 END
      AS recent
  FROM (
    -- A message counts once for each kind of event, however often its event came.
    SELECT customer_id, CAST(event_time AS DATE) AS sent_on, MAX(event_time) AS last_at,
      COUNT(DISTINCT CASE WHEN kind = 'sent' THEN COALESCE(message_id, event_id) END) AS sent,
      COUNT(DISTINCT CASE WHEN kind = 'opened' THEN COALESCE(message_id, event_id) END) AS opened,
      COUNT(DISTINCT CASE WHEN kind = 'clicked' THEN COALESCE(message_id, event_id) END)
        AS clicked,
      COUNT(DISTINCT CASE WHEN kind = 'bounced' THEN COALESCE(message_id, event_id) END)
        AS bounced,
      COUNT(DISTINCT CASE WHEN kind IN ('opened', 'clicked') AND channel = 'email'
        THEN COALESCE(message_id, event_id) END) AS email_clicks,
      COUNT(DISTINCT CASE WHEN kind IN ('opened', 'clicked') AND channel = 'sms'
        THEN COALESCE(message_id, event_id) END) AS sms_clicks,
      COUNT(DISTINCT CASE WHEN kind IN ('opened', 'clicked') AND channel = 'push'
        THEN COALESCE(message_id, event_id) END) AS push_clicks
    FROM contact_event
    GROUP BY customer_id, CAST(event_time AS DATE)) AS c
  CROSS JOIN customers_today AS t
  LEFT JOIN customer_merge AS m ON m.customer_id = c.customer_id) AS days
GROUP BY customer_id;

-- Key: customer_id. What the customer said of us.
CREATE MATERIALIZED VIEW customer_feedback AS
SELECT COALESCE(m.remains, f.customer_id) AS customer_id, COUNT(f.rating) AS ratings,
  SUM(f.rating) AS rating_sum, COUNT(*) FILTER (WHERE f.kind = 'review') AS reviews,
  COUNT(*) FILTER (WHERE f.kind = 'complaint') AS complaints,
  COUNT(*) FILTER (WHERE f.kind IN ('call', 'chat')) AS service_contacts,
  MAX(CASE WHEN f.kind = 'complaint' THEN f.event_time END) AS last_complaint_at,
  MAX(f.event_time) AS last_at
FROM (
  SELECT * FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
    FROM feedback_event)
  WHERE nth = 1 AND customer_id IS NOT NULL) AS f
LEFT JOIN customer_merge AS m ON m.customer_id = f.customer_id
GROUP BY COALESCE(m.remains, f.customer_id);

-- Key: customer_id. How orders went: cancelled, or delivered after the promise.
CREATE MATERIALIZED VIEW customer_delivery AS
SELECT COALESCE(m.remains, o.customer_id) AS customer_id, COUNT(*) AS orders,
  COUNT(*) FILTER (WHERE o.cancelled = 1) AS cancelled,
  COUNT(*) FILTER (WHERE o.delivered_at > o.promised_at) AS late, MAX(o.last_at) AS last_at
FROM (
  SELECT order_id, MAX(customer_id) AS customer_id,
    MAX(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END) AS cancelled,
    MIN(CASE WHEN status = 'delivered' THEN event_time END) AS delivered_at,
    MIN(promised_at) AS promised_at, MAX(event_time) AS last_at
  FROM order_event GROUP BY order_id) AS o
LEFT JOIN customer_merge AS m ON m.customer_id = o.customer_id
WHERE o.customer_id IS NOT NULL
GROUP BY COALESCE(m.remains, o.customer_id);

-- Key: (customer_id, tender_type).
CREATE MATERIALIZED VIEW customers_tender AS
SELECT COALESCE(m.remains, p.customer_id) AS customer_id, p.tender_type,
  COUNT(DISTINCT p.transaction_id) AS payments, MAX(p.event_time) AS last_at
FROM tender_line AS p
LEFT JOIN customer_merge AS m ON m.customer_id = p.customer_id
WHERE p.customer_id IS NOT NULL AND p.amount > 0 AND p.status = 'captured'
GROUP BY COALESCE(m.remains, p.customer_id), p.tender_type;

-- Key: customer_id. The way of paying that was taken most often, and whether points were.
CREATE MATERIALIZED VIEW customer_payment AS
SELECT r.customer_id, r.tender_type, r.payments, COALESCE(u.payments, 0) AS points_payments,
  r.last_at
FROM (
  SELECT customer_id, tender_type, payments, last_at, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY payments DESC, tender_type) AS place
  FROM customers_tender) AS r
LEFT JOIN customers_tender AS u ON u.customer_id = r.customer_id AND u.tender_type = 'points'
WHERE r.place = 1;

-- Key: (customer_id, category_id).
CREATE MATERIALIZED VIEW customers_category AS
SELECT customer_id, COALESCE(category_id, 'unknown') AS category_id, SUM(amount) AS amount,
  MAX(last_at) AS last_at
FROM customer_article GROUP BY customer_id, COALESCE(category_id, 'unknown');

-- Key: customer_id. Favourites by what was paid for, and how wide the taste is.
CREATE MATERIALIZED VIEW customer_favourite AS
SELECT c.customer_id, c.category_id, n.categories, a.sku, a.orders AS sku_orders, a.brand,
  CAST(100 * c.amount / NULLIF(n.amount, 0) AS DECIMAL(5, 1)) AS share, s.store_id, n.last_at
FROM (
  SELECT customer_id, category_id, amount, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY amount DESC, category_id) AS place
  FROM customers_category) AS c
JOIN (
  SELECT customer_id, SUM(amount) AS amount, COUNT(*) AS categories, MAX(last_at) AS last_at
  FROM customers_category GROUP BY customer_id) AS n
  ON n.customer_id = c.customer_id AND c.place = 1
JOIN (
  SELECT r.customer_id, r.sku, r.orders, p.brand FROM (
    SELECT customer_id, sku, product_id, orders, ROW_NUMBER() OVER (
      PARTITION BY customer_id ORDER BY orders DESC, quantity DESC, sku) AS place
    FROM customer_article) AS r
  LEFT JOIN (
    SELECT product_id, brand, ROW_NUMBER() OVER (
      PARTITION BY product_id ORDER BY updated_at DESC) AS nth
    FROM product) AS p ON p.product_id = r.product_id AND p.nth = 1
  WHERE r.place = 1) AS a ON a.customer_id = c.customer_id
LEFT JOIN (
  SELECT customer_id, store_id, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY orders DESC, store_id) AS place
  FROM (
    SELECT customer_id, store_id, COUNT(*) AS orders
    FROM customer_order WHERE store_id IS NOT NULL GROUP BY customer_id, store_id) AS counted
) AS s ON s.customer_id = c.customer_id AND s.place = 1;
