-- What events are about. A row is the newest word on its key: `updated_at` says since when.

CREATE TABLE model.customer (
  customer_id STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  name STRING COMMENT 'personal data',
  gender STRING,
  birth_year INT,
  reg_channel STRING,
  reg_time TIMESTAMP_LTZ(3),
  city STRING,
  country STRING,
  lang STRING,
  phone_hash STRING,
  email_hash STRING,
  marketing_consent BOOLEAN,
  ext STRING,
  PRIMARY KEY (customer_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

CREATE TABLE model.product (
  product_id STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  name STRING,
  brand STRING,
  category_id STRING,
  category_name STRING,
  parent_category_id STRING,
  launched_on DATE,
  ext STRING,
  PRIMARY KEY (product_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

CREATE TABLE model.sku (
  sku STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  product_id STRING NOT NULL,
  gtin STRING,
  variant STRING COMMENT 'size or colour',
  description STRING,
  category_id STRING,
  uom STRING,
  list_price DECIMAL(18, 4) COMMENT 'when the row was written; price_event has the changes',
  unit_cost DECIMAL(18, 4),
  minimum_advertised_price DECIMAL(18, 4),
  currency STRING,
  rfid_tagged BOOLEAN,
  ext STRING,
  PRIMARY KEY (sku) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

CREATE TABLE model.location (
  location_id STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  kind STRING NOT NULL COMMENT 'store, dc, web',
  name STRING,
  city STRING,
  country STRING,
  gln STRING,
  time_zone STRING,
  lat DOUBLE,
  lon DOUBLE,
  supplied_from STRING COMMENT 'the location that refills it',
  ext STRING,
  PRIMARY KEY (location_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

CREATE TABLE model.supplier (
  supplier_id STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  name STRING,
  country STRING,
  ext STRING,
  PRIMARY KEY (supplier_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

CREATE TABLE model.sku_supplier (
  sku STRING NOT NULL,
  supplier_id STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  lead_time_days INT COMMENT 'as agreed; what really comes is seen in stock_movement',
  minimum_order DECIMAL(18, 4),
  pack_size DECIMAL(18, 4) COMMENT 'orders are multiples of it',
  unit_cost DECIMAL(18, 4),
  currency STRING,
  ext STRING,
  PRIMARY KEY (sku, supplier_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

CREATE TABLE model.promotion (
  promotion_id STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  name STRING,
  sku STRING COMMENT 'NULL: of a whole category',
  category_id STRING,
  discount_rate DOUBLE COMMENT '0.2 is a fifth off',
  starts_at TIMESTAMP_LTZ(3),
  ends_at TIMESTAMP_LTZ(3),
  ext STRING,
  PRIMARY KEY (promotion_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

CREATE TABLE model.campaign (
  campaign_id STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  name STRING,
  medium STRING COMMENT 'search, display, social, email',
  category_id STRING COMMENT 'what it advertises',
  daily_budget DECIMAL(18, 4),
  bid_micros BIGINT,
  currency STRING,
  ext STRING,
  PRIMARY KEY (campaign_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- Which article of a competitor is which of ours.
CREATE TABLE model.competitor_product (
  competitor_id STRING NOT NULL,
  sku STRING NOT NULL,
  updated_at TIMESTAMP_LTZ(3) NOT NULL,
  source STRING,
  competitor_name STRING,
  competitor_sku STRING,
  match_confidence DOUBLE COMMENT '0 to 1',
  ext STRING,
  PRIMARY KEY (competitor_id, sku) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');
