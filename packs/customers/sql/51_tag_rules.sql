-- The rules of the tags: what they say, since which version, and for how many days after the newest
-- evidence a tag is believed (30, 90, 180, 365 or 730). Raise the version when a rule changes.
-- Key: tag_code.
CREATE MATERIALIZED VIEW customer_tag_rule AS
SELECT * FROM (VALUES
  ('customer_since', 'value', 'month of the first purchase', 1, 730),
  ('tenure', 'value',
    'fresh, months (> 90 days) or years (> 365) between the first and the last purchase', 1, 730),
  ('buyer_type', 'value', 'one_time, repeat (2 orders), regular (5)', 1, 730),
  ('milestone', 'value', '10, 50 or 100 orders', 1, 730),
  ('lifetime_value', 'value', 'spent in all: low, middle (100), high (800), top (2000)', 1, 730),
  ('basket_value', 'value', 'an order on average: small, medium (50), large (300)', 1, 365),
  ('basket_size', 'value', 'pieces an order: single, few (2), many (10)', 1, 365),
  ('big_ticket', 'value', 'an order of 500 or more', 1, 730),
  ('item_price_level', 'value',
    'paid for a piece on average: entry, middle (5), premium (50)', 1, 365),
  ('price_sensitivity', 'price',
    'paid below the list price: low, middle (5 %), high (20 %)', 1, 365),
  ('average_discount', 'price', 'percent below the list price', 1, 365),
  ('full_price_buyer', 'price', 'two orders or more, none in a promotion or with a coupon', 1, 365),
  ('coupon_user', 'price', 'orders with a coupon', 1, 365),
  ('promotion_buyer', 'price', 'orders with promoted articles: sometimes, mostly (half)', 1, 365),
  ('gift_receiver', 'price', 'has got a gift line', 1, 365),
  ('repurchase_cycle', 'cycle',
    'days between orders: weekly (10), monthly (45), quarterly (120), rare', 1, 365),
  ('repurchase_days', 'cycle', 'days between orders', 1, 365),
  ('next_order_due', 'cycle', 'day of the last order and one cycle', 1, 180),
  ('main_channel', 'channel', 'more than half of the orders: store, app, web; or mixed', 1, 365),
  ('omnichannel', 'channel', 'orders in stores and elsewhere', 1, 365),
  ('online_only', 'channel', 'two orders or more, none in a store', 1, 365),
  ('store_only', 'channel', 'two orders or more, all in stores', 1, 365),
  ('several_stores', 'channel', 'locations that sold', 1, 365),
  ('several_ids', 'channel', 'ids that bought, after merges', 1, 730),
  ('buying_hours', 'hours',
    'most orders: morning (6-11), afternoon (12-17), evening (18-22), night; or mixed', 1, 365),
  ('night_buyer', 'hours', 'two orders or more between 23 and 6, a quarter of all', 1, 365),
  ('weekend_buyer', 'hours', 'more than half of the orders on Saturdays and Sundays', 1, 365),
  ('life_stage', 'life_cycle',
    'new or active; cooling after 30 days, slipping 90, dormant 180, lost 365', 1, 730),
  ('rfm_segment', 'life_cycle', 'see customer_rfm', 1, 730),
  ('rfm_recency', 'life_cycle', 'score 1 to 5', 1, 730),
  ('rfm_frequency', 'life_cycle', 'score 1 to 5', 1, 730),
  ('rfm_money', 'life_cycle', 'score 1 to 5', 1, 730),
  ('overdue', 'life_cycle', 'silent for 1.5 times the usual cycle, and a week at least', 1, 365),
  ('spend_90_days', 'life_cycle', 'spent in the last 90 days', 1, 90),
  ('spend_trend', 'life_cycle',
    'last 90 days against the 90 before: rising (x 1.25), falling (x 0.75), steady', 1, 180),
  ('favourite_category', 'preference', 'the category most was spent on', 1, 365),
  ('category_loyal', 'preference',
    'three orders or more, 60 % of the money in one category', 1, 365),
  ('category_explorer', 'preference', 'five categories or more', 1, 365),
  ('favourite_article', 'preference', 'the article in most orders', 1, 365),
  ('article_loyal', 'preference', 'an article in three orders or more', 1, 365),
  ('favourite_brand', 'preference', 'brand of the favourite article', 1, 365),
  ('favourite_store', 'preference', 'location with most orders', 1, 365),
  ('favourite_payment', 'preference', 'the tender used most', 1, 365),
  ('points_payer', 'preference', 'has paid with points', 1, 365),
  ('visit_frequency', 'behavior', 'sessions: seldom, often (5), heavy (20)', 1, 180),
  ('searcher', 'behavior', 'three searches or more', 1, 180),
  ('wishlister', 'behavior', 'has put an article on the wish list', 1, 365),
  ('sharer', 'behavior', 'has shared an article', 1, 365),
  ('review_reader', 'behavior', 'three reviews opened or more', 1, 180),
  ('window_shopper', 'behavior', 'ten articles looked at, nothing ever bought', 1, 90),
  ('views_per_order', 'behavior', 'articles looked at for each order', 1, 180),
  ('cart_abandoner', 'behavior', 'something put into a cart and no purchase since', 1, 30),
  ('promotion_clicker', 'promotion', 'two promotions clicked or more', 1, 180),
  ('promotion_ignorer', 'promotion', 'ten promotions seen, none clicked', 1, 180),
  ('app_user', 'channel', 'a session in the app or mini program', 1, 180),
  ('several_devices', 'channel', 'devices used', 1, 365),
  ('weekend_browser', 'hours', 'more than half of the sessions at weekends', 1, 180),
  ('evening_browser', 'hours', 'more than half of the sessions after 18 h', 1, 180),
  ('browsing_category', 'preference', 'the category looked at most', 1, 180),
  ('mail_opener', 'promotion',
    'of three messages or more opened: never, sometimes, often (half)', 1, 180),
  ('mail_clicker', 'promotion',
    'of three messages or more clicked: never, sometimes, often (a fifth)', 1, 180),
  ('best_contact_channel', 'promotion', 'email, sms or push: the one answered most', 1, 365),
  ('contact_pressure', 'promotion',
    'messages in CUSTOMERS_CAP_DAYS: some, high (CUSTOMERS_CAP)', 1, 30),
  ('unreachable', 'promotion', 'a message bounced and none was ever opened', 1, 180),
  ('marketing_consent', 'promotion', 'see customer_consent', 1, 730),
  ('unsubscribed', 'promotion', 'the last word was to unsubscribe', 1, 730),
  ('reviewer', 'service', 'reviews written', 1, 730),
  ('average_rating', 'service', 'stars on average', 1, 365),
  ('satisfaction', 'service',
    'stars on average: promoter (4.5), neutral, critic (2.5 or less)', 1, 365),
  ('complainer', 'service', 'complaints', 1, 365),
  ('needs_service', 'service', 'three calls and chats or more', 1, 180),
  ('order_canceller', 'service', 'two cancelled orders or more, a fifth of all', 1, 365),
  ('waited_too_long', 'service', 'deliveries after the promised time', 1, 180),
  ('return_rate', 'service', 'value that came back: low, middle (10 %), high (50 %)', 1, 365),
  ('serial_returner', 'service', 'three returns or more, one for every two orders', 1, 365),
  ('gender', 'profile', 'as registered', 1, 730),
  ('age_band', 'profile', 'under_25, 25_39, 40_59, 60_and_over, by the year of birth', 1, 730),
  ('city', 'profile', 'as registered', 1, 730),
  ('country', 'profile', 'as registered', 1, 730),
  ('language', 'profile', 'as registered', 1, 730),
  ('registered_by', 'profile', 'channel of the registration', 1, 730)
) AS rules (tag_code, tag_group, rule, rule_version, ttl_days);

-- Key: (customer_id, tag_code). What is not believed any more (`valid_to` is past) is gone.
-- computed_at: when the newest evidence happened; for what only time changes, since when it is so.
CREATE MATERIALIZED VIEW customer_tag AS
SELECT v.customer_id, v.tag_code, r.tag_group, v.tag_value, v.evidence, r.rule_version,
  v.evidence_at AS computed_at, TIMESTAMPADD(DAY, r.ttl_days, v.evidence_at) AS valid_to
FROM (
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_value AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_clock AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_preference AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_payment AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_behavior AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_contact AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_consent AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_service AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
  UNION ALL
  SELECT g.customer_id, g.evidence_at, g.age, t.tag_code, t.tag_value, t.evidence
  FROM customers_tags_profile AS g
  CROSS JOIN UNNEST(g.tags) AS t (tag_code, tag_value, evidence)
) AS v
JOIN customer_tag_rule AS r ON r.tag_code = v.tag_code
WHERE v.tag_value IS NOT NULL AND r.ttl_days > v.age;
