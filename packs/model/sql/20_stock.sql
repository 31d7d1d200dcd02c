-- Where goods are, and for whom they are kept.

-- Goods that came to a location or left it, or were seen there. Key: event_id. About: (sku,
-- location_id). The position of a SKU at a location is the sum of `quantity` of what is `add` or
-- `delete`; `observe` (a count, a reader above a shelf) changes nothing by itself.
-- A tagged piece is read by a gate more than once, each time with another event_id: a movement
-- with an `epc` is one for each (epc, ref_id, action, location_id), as docs/event-model.md shows.
CREATE TABLE model.stock_movement (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  channel STRING COMMENT 'pos, wms, iot',
  action STRING NOT NULL COMMENT 'add, delete, observe',
  biz_step STRING COMMENT 'receiving, stocking, selling, picking, shipping, returning, counting, adjusting',
  disposition STRING COMMENT 'in_progress, sellable, sold, damaged, returned',
  sku STRING NOT NULL,
  location_id STRING NOT NULL,
  quantity DECIMAL(18, 4) NOT NULL COMMENT 'added: positive; deleted: negative; observed: what was seen',
  uom STRING,
  epc STRING COMMENT 'the tag, where one piece was read',
  read_point STRING COMMENT 'the gate, till or reader',
  ref_type STRING COMMENT 'sale, po, asn, transfer, count, adjust, return, opening',
  ref_id STRING COMMENT 'the receipt, order, purchase order or transfer',
  unit_cost DECIMAL(18, 4) COMMENT 'on receipts',
  currency STRING,
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- Goods that are kept for a cart or an order. Key: (reservation_id, version).
CREATE TABLE model.reservation_event (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  reservation_id STRING NOT NULL,
  version INT NOT NULL COMMENT 'from 1; the highest one counts',
  op STRING NOT NULL COMMENT 'reserve, confirm, release, expire',
  sku STRING NOT NULL,
  location_id STRING NOT NULL,
  quantity DECIMAL(18, 4) NOT NULL COMMENT 'positive',
  owner_type STRING NOT NULL COMMENT 'cart, order',
  owner_id STRING NOT NULL,
  expires_at TIMESTAMP_LTZ(3) COMMENT 'a reservation ends then, also without an event',
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');
