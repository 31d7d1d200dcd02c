-- Prices, ads, and what the world outside of the shop says.

-- A price from some moment on, ours or somebody else's. Key: event_id. About: sku.
CREATE TABLE model.price_event (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  channel STRING,
  sku STRING NOT NULL,
  price_type STRING NOT NULL COMMENT 'list, net, promo, markdown, competitor, cost',
  competitor_id STRING COMMENT 'of a competitor price: whose',
  location_id STRING COMMENT 'NULL: everywhere',
  amount DECIMAL(18, 4) NOT NULL COMMENT 'not negative',
  currency STRING NOT NULL,
  valid_from TIMESTAMP_LTZ(3),
  valid_to TIMESTAMP_LTZ(3),
  in_stock BOOLEAN COMMENT 'of a competitor price: whether they have it',
  match_confidence DOUBLE COMMENT 'of a competitor price: 0 to 1',
  promotion_id STRING,
  decision_id STRING COMMENT 'the decision that made it',
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- What an advertisement did or cost. Key: event_id. About: campaign_id.
CREATE TABLE model.ad_event (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  channel STRING,
  kind STRING NOT NULL COMMENT 'bid, win, loss, impression, click, conversion, cost',
  campaign_id STRING NOT NULL,
  ad_group_id STRING,
  creative_id STRING,
  placement STRING,
  auction_id STRING COMMENT 'the same on bid, win, loss',
  imp_id STRING COMMENT 'the same on win, impression, click',
  click_id STRING COMMENT 'the same on click, conversion and the session that it brought',
  anonymous_id STRING,
  customer_id STRING,
  bid_micros BIGINT COMMENT 'millionths of the currency',
  price_micros BIGINT COMMENT 'what the impression cost; 0 where nothing is paid',
  currency STRING,
  conversion_value DECIMAL(18, 4),
  order_id STRING COMMENT 'of a conversion',
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');

-- What is said and searched outside. Key: event_id. About: topic.
CREATE TABLE model.market_signal (
  event_id STRING NOT NULL,
  event_time TIMESTAMP_LTZ(3) NOT NULL,
  ingest_time TIMESTAMP_LTZ(3),
  source STRING,
  kind STRING NOT NULL COMMENT 'news, social, report, search_trend',
  topic STRING NOT NULL,
  brand STRING,
  product_id STRING,
  category_id STRING,
  `value` DOUBLE COMMENT 'searches or mentions, where the signal is a number',
  text STRING,
  url STRING,
  lang STRING,
  ext STRING,
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'blackhole');
