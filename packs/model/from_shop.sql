-- All tables of the model from one simulated shop: docs/simulated-shop.md. Every row is labelled
-- `source` = 'simulated'. Variables: SHOP_SEED, SHOP_START, SHOP_DAYS, SHOP_SPEED, SHOP_CUSTOMERS.
CREATE TABLE behavior_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.behavior_event;
CREATE TABLE sale_line WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.sale_line;
CREATE TABLE tender_line WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.tender_line;
CREATE TABLE order_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.order_event;
CREATE TABLE stock_movement WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.stock_movement;
CREATE TABLE reservation_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.reservation_event;
CREATE TABLE price_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.price_event;
CREATE TABLE ad_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.ad_event;
CREATE TABLE market_signal WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.market_signal;
CREATE TABLE feedback_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.feedback_event;
CREATE TABLE loyalty_entry WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.loyalty_entry;
CREATE TABLE contact_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.contact_event;
CREATE TABLE identity_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.identity_event;
CREATE TABLE customer WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.customer;
CREATE TABLE product WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.product;
CREATE TABLE sku WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.sku;
CREATE TABLE location WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.location;
CREATE TABLE supplier WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.supplier;
CREATE TABLE sku_supplier WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.sku_supplier;
CREATE TABLE promotion WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.promotion;
CREATE TABLE campaign WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.campaign;
CREATE TABLE competitor_product WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED}', 'start' = '${SHOP_START}', 'days' = '${SHOP_DAYS}',
  'speed' = '${SHOP_SPEED}', 'customers' = '${SHOP_CUSTOMERS}'
) LIKE model.competitor_product;
