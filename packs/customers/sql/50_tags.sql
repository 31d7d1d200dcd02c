-- Tags: what is known of a customer, one row a tag, in `customer_tag`.
--
-- Each group below is a list: code, value (NULL: the customer does not have the tag), evidence.
-- To change a rule, change its line here, and its version and text in 51_tag_rules.sql.

CREATE VIEW customers_tags_value AS
SELECT customer_id, last_at AS evidence_at, age, ARRAY[
  ROW('customer_since', DATE_FORMAT(CAST(first_at AS TIMESTAMP(3)), 'yyyy-MM'),
    'first purchase on ' || CAST(first_day AS STRING)),
  ROW('tenure', CASE WHEN last_day > first_day + INTERVAL '365' DAY(3) THEN 'years'
    WHEN last_day > first_day + INTERVAL '90' DAY THEN 'months' ELSE 'fresh' END,
    'bought from ' || CAST(first_day AS STRING) || ' to ' || CAST(last_day AS STRING)),
  ROW('buyer_type', CASE WHEN orders >= 5 THEN 'regular' WHEN orders >= 2 THEN 'repeat'
    ELSE 'one_time' END, CAST(orders AS STRING) || ' orders'),
  ROW('milestone', CASE WHEN orders >= 100 THEN '100' WHEN orders >= 50 THEN '50'
    WHEN orders >= 10 THEN '10' END, CAST(orders AS STRING) || ' orders'),
  ROW('lifetime_value', CASE WHEN amount >= 2000 THEN 'top' WHEN amount >= 800 THEN 'high'
    WHEN amount >= 100 THEN 'middle' ELSE 'low' END,
    CAST(CAST(amount AS DECIMAL(18, 2)) AS STRING) || ' spent in all'),
  ROW('basket_value', CASE WHEN amount / orders >= 300 THEN 'large'
    WHEN amount / orders >= 50 THEN 'medium' ELSE 'small' END,
    CAST(CAST(amount / orders AS DECIMAL(18, 2)) AS STRING) || ' an order'),
  ROW('basket_size', CASE WHEN items / orders >= 10 THEN 'many'
    WHEN items / orders >= 2 THEN 'few' ELSE 'single' END,
    CAST(CAST(items / orders AS DECIMAL(18, 1)) AS STRING) || ' pieces an order'),
  ROW('big_ticket', CASE WHEN largest >= 500 THEN 'yes' END,
    'largest order ' || CAST(CAST(largest AS DECIMAL(18, 2)) AS STRING)),
  ROW('item_price_level', CASE WHEN amount / NULLIF(items, 0) >= 50 THEN 'premium'
    WHEN amount / NULLIF(items, 0) >= 5 THEN 'middle' ELSE 'entry' END,
    CAST(CAST(amount / NULLIF(items, 0) AS DECIMAL(18, 2)) AS STRING) || ' a piece'),
  ROW('price_sensitivity', CASE WHEN list_amount - amount >= list_amount * 0.20 THEN 'high'
    WHEN list_amount - amount >= list_amount * 0.05 THEN 'middle' ELSE 'low' END,
    CAST(CAST(100 * (list_amount - amount) / NULLIF(list_amount, 0) AS DECIMAL(5, 1)) AS STRING)
      || ' % below the list price'),
  ROW('average_discount',
    CAST(CAST(100 * (list_amount - amount) / NULLIF(list_amount, 0) AS DECIMAL(5, 1)) AS STRING),
    CAST(CAST(list_amount - amount AS DECIMAL(18, 2)) AS STRING) || ' saved'),
  ROW('full_price_buyer', CASE WHEN orders >= 2 AND promoted = 0 AND coupons = 0
    THEN 'yes' END, CAST(orders AS STRING) || ' orders without a promotion'),
  ROW('coupon_user', CASE WHEN coupons >= 1 THEN CAST(coupons AS STRING) END,
    CAST(coupons AS STRING) || ' of ' || CAST(orders AS STRING) || ' orders with a coupon'),
  ROW('promotion_buyer', CASE WHEN promoted * 2 >= orders THEN 'mostly'
    WHEN promoted >= 1 THEN 'sometimes' END,
    CAST(promoted AS STRING) || ' of ' || CAST(orders AS STRING) || ' orders in a promotion'),
  ROW('gift_receiver', CASE WHEN gifts >= 1 THEN 'yes' END,
    CAST(gifts AS STRING) || ' orders with a gift'),
  ROW('repurchase_cycle', CASE WHEN cycle_days <= 10 THEN 'weekly'
    WHEN cycle_days <= 45 THEN 'monthly' WHEN cycle_days <= 120 THEN 'quarterly'
    WHEN cycle_days IS NOT NULL THEN 'rare' END,
    CAST(CAST(cycle_days AS DECIMAL(9, 1)) AS STRING) || ' days between orders'),
  ROW('repurchase_days', CAST(CAST(cycle_days AS DECIMAL(9, 1)) AS STRING),
    CAST(orders AS STRING) || ' orders'),
  ROW('next_order_due', CAST(CAST(TIMESTAMPADD(DAY, CAST(ROUND(cycle_days, 0) AS INT),
    CAST(last_day AS TIMESTAMP(3))) AS DATE) AS STRING),
    'last order on ' || CAST(last_day AS STRING)),
  ROW('main_channel', CASE WHEN store_orders * 2 > orders THEN 'store'
    WHEN app_orders * 2 > orders THEN 'app'
    WHEN (orders - store_orders - app_orders) * 2 > orders THEN 'web' ELSE 'mixed' END,
    CAST(store_orders AS STRING) || ' in stores, ' || CAST(app_orders AS STRING) || ' by app, of '
      || CAST(orders AS STRING)),
  ROW('omnichannel', CASE WHEN store_orders > 0 AND store_orders < orders THEN 'yes' END,
    CAST(store_orders AS STRING) || ' of ' || CAST(orders AS STRING) || ' orders in stores'),
  ROW('online_only', CASE WHEN store_orders = 0 AND orders >= 2 THEN 'yes' END,
    CAST(orders AS STRING) || ' orders, none in a store'),
  ROW('store_only', CASE WHEN store_orders = orders AND orders >= 2 THEN 'yes' END,
    CAST(orders AS STRING) || ' orders, all in stores'),
  ROW('several_stores', CASE WHEN stores >= 2 THEN CAST(stores AS STRING) END,
    CAST(stores AS STRING) || ' locations'),
  ROW('several_ids', CASE WHEN ids >= 2 THEN CAST(ids AS STRING) END,
    'bought under ' || CAST(ids AS STRING) || ' ids'),
  ROW('buying_hours', CASE WHEN morning * 2 > orders THEN 'morning'
    WHEN afternoon * 2 > orders THEN 'afternoon' WHEN evening * 2 > orders THEN 'evening'
    WHEN night * 2 > orders THEN 'night' ELSE 'mixed' END,
    CAST(morning AS STRING) || ' / ' || CAST(afternoon AS STRING) || ' / '
      || CAST(evening AS STRING) || ' / ' || CAST(night AS STRING)
      || ' orders in the morning, afternoon, evening, night'),
  ROW('night_buyer', CASE WHEN night >= 2 AND night * 4 >= orders THEN 'yes' END,
    CAST(night AS STRING) || ' orders between 23 and 6'),
  ROW('weekend_buyer', CASE WHEN orders >= 2 AND weekend_orders * 2 > orders THEN 'yes' END,
    CAST(weekend_orders AS STRING) || ' of ' || CAST(orders AS STRING) || ' orders at weekends')
  ] AS tags
FROM customer_purchase;

CREATE VIEW customers_tags_clock AS
SELECT c.customer_id, TIMESTAMPADD(DAY, c.quiet_days, c.last_at) AS evidence_at, 0 AS age, ARRAY[
  ROW('life_stage', CASE c.quiet_days WHEN 0 THEN CASE WHEN c.f = 1 THEN 'new' ELSE 'active' END
    WHEN 30 THEN 'cooling' WHEN 90 THEN 'slipping' WHEN 180 THEN 'dormant' ELSE 'lost' END,
    'no purchase for ' || CAST(c.quiet_days AS STRING) || ' days or more'),
  ROW('rfm_segment', c.rfm_segment, 'scores ' || CAST(c.r AS STRING) || ', '
    || CAST(c.f AS STRING) || ', ' || CAST(c.m AS STRING)),
  ROW('rfm_recency', CAST(c.r AS STRING), 'last purchase ' || CAST(c.last_at AS STRING)),
  ROW('rfm_frequency', CAST(c.f AS STRING), 'by the cut points of CUSTOMERS_F*'),
  ROW('rfm_money', CAST(c.m AS STRING), 'by the cut points of CUSTOMERS_M*'),
  ROW('overdue', CASE WHEN c.overdue THEN 'yes' END,
    'silent for half as long again as usual'),
  ROW('spend_90_days', CASE WHEN c.amount_90 > 0
    THEN CAST(CAST(c.amount_90 AS DECIMAL(18, 2)) AS STRING) END, 'the last 90 days'),
  ROW('spend_trend', CASE WHEN c.amount_90 = 0 AND c.before_90 = 0 THEN CAST(NULL AS STRING)
    WHEN c.amount_90 >= c.before_90 * 1.25 THEN 'rising'
    WHEN c.amount_90 <= c.before_90 * 0.75 THEN 'falling' ELSE 'steady' END,
    CAST(CAST(c.amount_90 AS DECIMAL(18, 2)) AS STRING) || ' in 90 days, '
      || CAST(CAST(c.before_90 AS DECIMAL(18, 2)) AS STRING) || ' in those before')
  ] AS tags
FROM customer_clock AS c;

CREATE VIEW customers_tags_preference AS
SELECT f.customer_id, f.last_at AS evidence_at, p.age, ARRAY[
  ROW('favourite_category', f.category_id,
    CAST(f.share AS STRING) || ' % of what was spent'),
  ROW('category_loyal', CASE WHEN f.share >= 60 AND p.orders >= 3 THEN f.category_id END,
    CAST(f.share AS STRING) || ' % in one category'),
  ROW('category_explorer', CASE WHEN f.categories >= 5 THEN 'yes' END,
    CAST(f.categories AS STRING) || ' categories'),
  ROW('favourite_article', f.sku, 'in ' || CAST(f.sku_orders AS STRING) || ' orders'),
  ROW('article_loyal', CASE WHEN f.sku_orders >= 3 THEN f.sku END,
    'in ' || CAST(f.sku_orders AS STRING) || ' orders'),
  ROW('favourite_brand', f.brand, 'the brand of the favourite article'),
  ROW('favourite_store', f.store_id, 'most orders')
  ] AS tags
FROM customer_favourite AS f JOIN customer_purchase AS p ON p.customer_id = f.customer_id;

CREATE VIEW customers_tags_payment AS
SELECT customer_id, last_at AS evidence_at, 0 AS age, ARRAY[
  ROW('favourite_payment', tender_type, CAST(payments AS STRING) || ' payments'),
  ROW('points_payer', CASE WHEN points_payments > 0 THEN 'yes' END,
    CAST(points_payments AS STRING) || ' payments with points')
  ] AS tags
FROM customer_payment;

CREATE VIEW customers_tags_behavior AS
SELECT b.customer_id, b.last_seen_at AS evidence_at, b.age, ARRAY[
  ROW('visit_frequency', CASE WHEN b.sessions >= 20 THEN 'heavy' WHEN b.sessions >= 5 THEN 'often'
    ELSE 'seldom' END, CAST(b.sessions AS STRING) || ' sessions'),
  ROW('searcher', CASE WHEN b.searches >= 3 THEN 'yes' END,
    CAST(b.searches AS STRING) || ' searches'),
  ROW('wishlister', CASE WHEN b.wishes >= 1 THEN 'yes' END,
    CAST(b.wishes AS STRING) || ' articles on the wish list'),
  ROW('sharer', CASE WHEN b.shares >= 1 THEN 'yes' END, CAST(b.shares AS STRING) || ' shares'),
  ROW('review_reader', CASE WHEN b.reviews_read >= 3 THEN 'yes' END,
    CAST(b.reviews_read AS STRING) || ' reviews opened'),
  ROW('window_shopper', CASE WHEN b.views >= 10 AND p.orders IS NULL THEN 'yes' END,
    CAST(b.views AS STRING) || ' articles looked at, nothing bought'),
  ROW('views_per_order',
    CAST(CAST(CAST(b.views AS DECIMAL(18, 1)) / p.orders AS DECIMAL(18, 1)) AS STRING),
    CAST(b.views AS STRING) || ' views'),
  ROW('cart_abandoner', CASE WHEN b.last_cart_at IS NOT NULL
      AND (p.last_at IS NULL OR p.last_at < b.last_cart_at) THEN 'yes' END,
    'a cart of ' || CAST(b.last_cart_at AS STRING) || ' without a purchase after it'),
  ROW('promotion_clicker', CASE WHEN b.promo_clicks >= 2 THEN 'yes' END,
    CAST(b.promo_clicks AS STRING) || ' promotions clicked'),
  ROW('promotion_ignorer', CASE WHEN b.promo_views >= 10 AND b.promo_clicks = 0 THEN 'yes' END,
    CAST(b.promo_views AS STRING) || ' promotions seen, none clicked'),
  ROW('app_user', CASE WHEN b.app_sessions >= 1 THEN 'yes' END,
    CAST(b.app_sessions AS STRING) || ' sessions in the app'),
  ROW('several_devices', CASE WHEN b.devices >= 2 THEN CAST(b.devices AS STRING) END,
    CAST(b.devices AS STRING) || ' devices'),
  ROW('weekend_browser', CASE WHEN b.sessions >= 2 AND b.weekend_sessions * 2 > b.sessions
    THEN 'yes' END, CAST(b.weekend_sessions AS STRING) || ' sessions at weekends'),
  ROW('evening_browser', CASE WHEN b.sessions >= 2 AND b.evening_sessions * 2 > b.sessions
    THEN 'yes' END, CAST(b.evening_sessions AS STRING) || ' sessions after 18 h'),
  ROW('browsing_category', v.category_id, CAST(v.views AS STRING) || ' views')
  ] AS tags
FROM customer_behavior AS b
LEFT JOIN customer_purchase AS p ON p.customer_id = b.customer_id
LEFT JOIN customer_viewed_category AS v ON v.customer_id = b.customer_id;

CREATE VIEW customers_tags_contact AS
SELECT customer_id, last_at AS evidence_at, 0 AS age, ARRAY[
  ROW('mail_opener', CASE WHEN sent >= 3 AND opened * 2 >= sent THEN 'often'
    WHEN sent >= 3 AND opened > 0 THEN 'sometimes' WHEN sent >= 3 THEN 'never' END,
    CAST(opened AS STRING) || ' of ' || CAST(sent AS STRING) || ' messages opened'),
  ROW('mail_clicker', CASE WHEN sent >= 3 AND clicked * 5 >= sent THEN 'often'
    WHEN sent >= 3 AND clicked > 0 THEN 'sometimes' WHEN sent >= 3 THEN 'never' END,
    CAST(clicked AS STRING) || ' of ' || CAST(sent AS STRING) || ' messages clicked'),
  ROW('best_contact_channel', CASE WHEN email_clicks + sms_clicks + push_clicks = 0
      THEN CAST(NULL AS STRING)
    WHEN email_clicks >= sms_clicks AND email_clicks >= push_clicks THEN 'email'
    WHEN sms_clicks >= push_clicks THEN 'sms' ELSE 'push' END,
    CAST(email_clicks AS STRING) || ' / ' || CAST(sms_clicks AS STRING) || ' / '
      || CAST(push_clicks AS STRING) || ' answers by email, sms, push'),
  ROW('contact_pressure', CASE WHEN recent >= ${CUSTOMERS_CAP:-4} THEN 'high'
    WHEN recent >= 1 THEN 'some' END, CAST(recent AS STRING) || ' messages lately'),
  ROW('unreachable', CASE WHEN bounced >= 1 AND opened = 0 THEN 'yes' END,
    CAST(bounced AS STRING) || ' messages bounced')
  ] AS tags
FROM customer_contact;

CREATE VIEW customers_tags_consent AS
SELECT customer_id, said_at AS evidence_at, 0 AS age, ARRAY[
  ROW('marketing_consent', CASE WHEN allowed THEN 'yes' ELSE 'no' END, word),
  ROW('unsubscribed', CASE WHEN word = 'unsubscribed' THEN 'yes' END, word)
  ] AS tags
FROM customer_consent;

CREATE VIEW customers_tags_service AS
SELECT customer_id, last_at AS evidence_at, 0 AS age, ARRAY[
  ROW('reviewer', CASE WHEN reviews >= 1 THEN CAST(reviews AS STRING) END,
    CAST(reviews AS STRING) || ' reviews'),
  ROW('average_rating', CAST(CAST(CAST(rating_sum AS DECIMAL(9, 1)) / NULLIF(ratings, 0)
    AS DECIMAL(3, 1)) AS STRING), CAST(ratings AS STRING) || ' ratings'),
  ROW('satisfaction', CASE WHEN rating_sum >= ratings * 4.5 THEN 'promoter'
    WHEN rating_sum <= ratings * 2.5 THEN 'critic' WHEN ratings > 0 THEN 'neutral' END,
    CAST(rating_sum AS STRING) || ' stars in ' || CAST(ratings AS STRING) || ' ratings'),
  ROW('complainer', CASE WHEN complaints >= 1 THEN CAST(complaints AS STRING) END,
    'last complaint ' || CAST(last_complaint_at AS STRING)),
  ROW('needs_service', CASE WHEN service_contacts >= 3 THEN 'yes' END,
    CAST(service_contacts AS STRING) || ' calls and chats')
  ] AS tags
FROM customer_feedback
UNION ALL
SELECT customer_id, last_at, 0, ARRAY[
  ROW('order_canceller', CASE WHEN cancelled >= 2 AND cancelled * 5 >= orders THEN 'yes' END,
    CAST(cancelled AS STRING) || ' of ' || CAST(orders AS STRING) || ' orders cancelled'),
  ROW('waited_too_long', CASE WHEN late >= 1 THEN CAST(late AS STRING) END,
    CAST(late AS STRING) || ' deliveries after the promised time')
  ]
FROM customer_delivery
UNION ALL
SELECT r.customer_id, r.last_at, 0, ARRAY[
  ROW('return_rate', CASE WHEN r.amount * 2 >= p.amount THEN 'high'
    WHEN r.amount * 10 >= p.amount THEN 'middle' ELSE 'low' END,
    CAST(CAST(r.amount AS DECIMAL(18, 2)) AS STRING) || ' came back, '
      || CAST(CAST(p.amount AS DECIMAL(18, 2)) AS STRING) || ' was bought'),
  ROW('serial_returner', CASE WHEN r.returns >= 3 AND r.returns * 2 >= p.orders THEN 'yes' END,
    CAST(r.returns AS STRING) || ' returns, ' || CAST(p.orders AS STRING) || ' orders')
  ]
FROM customer_return AS r JOIN customer_purchase AS p ON p.customer_id = r.customer_id;

CREATE VIEW customers_tags_profile AS
SELECT customer_id, updated_at AS evidence_at, 0 AS age, ARRAY[
  ROW('gender', gender, 'customer table'),
  ROW('age_band', CASE WHEN EXTRACT(YEAR FROM today) - birth_year < 25 THEN 'under_25'
    WHEN EXTRACT(YEAR FROM today) - birth_year < 40 THEN '25_39'
    WHEN EXTRACT(YEAR FROM today) - birth_year < 60 THEN '40_59'
    WHEN birth_year IS NOT NULL AND today IS NOT NULL THEN '60_and_over' END,
    'born ' || CAST(birth_year AS STRING)),
  ROW('city', city, 'customer table'),
  ROW('country', country, 'customer table'),
  ROW('language', lang, 'customer table'),
  ROW('registered_by', reg_channel, 'customer table')
  ] AS tags
FROM (
  SELECT COALESCE(m.remains, c.customer_id) AS customer_id, c.updated_at, c.gender, c.birth_year,
    c.city, c.country, c.lang, c.reg_channel, t.today, ROW_NUMBER() OVER (
      PARTITION BY COALESCE(m.remains, c.customer_id)
      ORDER BY CASE WHEN m.remains IS NULL THEN 1 ELSE 0 END DESC, c.updated_at DESC) AS place
  FROM customer AS c
  LEFT JOIN customer_merge AS m ON m.customer_id = c.customer_id
  CROSS JOIN customers_today AS t) AS known
WHERE place = 1;
