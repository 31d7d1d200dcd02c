-- All rows that break a rule.
CREATE VIEW dirty_row AS
SELECT * FROM dirty_behavior_event
UNION ALL
SELECT * FROM dirty_sale_line
UNION ALL
SELECT * FROM dirty_tender_line
UNION ALL
SELECT * FROM dirty_order_event
UNION ALL
SELECT * FROM dirty_stock_movement
UNION ALL
SELECT * FROM dirty_reservation_event
UNION ALL
SELECT * FROM dirty_price_event
UNION ALL
SELECT * FROM dirty_ad_event
UNION ALL
SELECT * FROM dirty_market_signal
UNION ALL
SELECT * FROM dirty_feedback_event
UNION ALL
SELECT * FROM dirty_loyalty_entry
UNION ALL
SELECT * FROM dirty_contact_event
UNION ALL
SELECT * FROM dirty_identity_event;
