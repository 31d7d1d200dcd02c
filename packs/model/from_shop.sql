-- All tables of the model from one simulated shop: docs/simulated-shop.md. Every row is labelled
-- `source` = 'simulated'. A project may say SHOP_SEED, SHOP_START, SHOP_DAYS, SHOP_SPEED,
-- SHOP_HISTORY, SHOP_CUSTOMERS and SHOP_DECISIONS (the folder of a log; nothing is decided where it
-- is empty).
CREATE TABLE behavior_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.behavior_event;
CREATE TABLE sale_line WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.sale_line;
CREATE TABLE tender_line WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.tender_line;
CREATE TABLE order_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.order_event;
CREATE TABLE stock_movement WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.stock_movement;
CREATE TABLE reservation_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.reservation_event;
CREATE TABLE price_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.price_event;
CREATE TABLE ad_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.ad_event;
CREATE TABLE market_signal WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.market_signal;
CREATE TABLE feedback_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.feedback_event;
CREATE TABLE loyalty_entry WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.loyalty_entry;
CREATE TABLE contact_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.contact_event;
CREATE TABLE identity_event WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.identity_event;
CREATE TABLE customer WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.customer;
CREATE TABLE product WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.product;
CREATE TABLE sku WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.sku;
CREATE TABLE location WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.location;
CREATE TABLE supplier WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.supplier;
CREATE TABLE sku_supplier WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.sku_supplier;
CREATE TABLE promotion WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.promotion;
CREATE TABLE campaign WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.campaign;
CREATE TABLE competitor_product WITH (
  'connector' = 'shop', 'seed' = '${SHOP_SEED:-1}',
  'start' = '${SHOP_START:-2025-09-01}', 'days' = '${SHOP_DAYS:-30}',
  'speed' = '${SHOP_SPEED:-max}', 'history' = '${SHOP_HISTORY:-0}', 'customers' = '${SHOP_CUSTOMERS:-5000}',
  'decisions' = '${SHOP_DECISIONS:-}'
) LIKE model.competitor_product;
