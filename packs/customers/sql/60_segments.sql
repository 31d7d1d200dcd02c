-- Segments: whom to treat alike. A row that appears has entered, one that goes has left: the
-- changes of this view are the segment's events.

-- The n-th purchase of a customer, which is when some segments are entered.
CREATE VIEW customers_nth_order AS
SELECT customer_id, order_at, place FROM (
  SELECT customer_id, order_at, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY order_at, receipt) AS place
  FROM customer_order)
WHERE place <= 5;

-- Key: (segment_id, customer_id). entered_at: what happened then made the customer a member.
CREATE MATERIALIZED VIEW segment_member AS
SELECT 'new' AS segment_id, customer_id, first_at AS entered_at, 'one order' AS why
FROM customer_purchase WHERE orders = 1 AND age < 90
UNION ALL
SELECT 'repeat', customer_id, order_at, 'the second order' FROM customers_nth_order WHERE place = 2
UNION ALL
SELECT 'regular', customer_id, order_at, 'the fifth order' FROM customers_nth_order WHERE place = 5
UNION ALL
SELECT 'champion', customer_id, last_at, 'scores 4 and 5 in all of recency, frequency and money'
FROM customer_clock WHERE rfm_segment = 'champion'
UNION ALL
SELECT 'slipping', customer_id, TIMESTAMPADD(DAY, 90, last_at), 'more than 90 days of silence'
FROM customer_clock WHERE quiet_days = 90 AND f >= 2
UNION ALL
SELECT 'dormant', customer_id, TIMESTAMPADD(DAY, 180, last_at), 'more than 180 days of silence'
FROM customer_clock WHERE quiet_days = 180
UNION ALL
SELECT 'lost', customer_id, TIMESTAMPADD(DAY, 365, last_at), 'more than 365 days of silence'
FROM customer_clock WHERE quiet_days = 365
UNION ALL
SELECT 'high_value', customer_id, last_at, 'has spent ${CUSTOMERS_M5_AMOUNT:-2000} or more'
FROM customer_purchase WHERE amount >= ${CUSTOMERS_M5_AMOUNT:-2000}
UNION ALL
SELECT 'bargain_hunter', customer_id, last_at, 'pays 20 % less than the list price'
FROM customer_purchase WHERE list_amount - amount >= list_amount * 0.20 AND orders >= 2
UNION ALL
SELECT 'cart_abandoner', b.customer_id, b.last_cart_at, 'a cart without a purchase after it'
FROM customer_behavior AS b LEFT JOIN customer_purchase AS p ON p.customer_id = b.customer_id
WHERE b.last_cart_at IS NOT NULL AND b.age < 30
  AND (p.last_at IS NULL OR p.last_at < b.last_cart_at)
UNION ALL
SELECT 'dissatisfied', customer_id, last_at, 'complained, or 2.5 stars and less on average'
FROM customer_feedback
WHERE complaints > 0 OR (ratings > 0 AND rating_sum <= ratings * 2.5);
