CREATE VIEW feed.judged_sale_line AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(transaction_id, '') IS NULL THEN 'transaction_id is missing'
    WHEN NULLIF(line_no, -2147483648) IS NULL THEN 'line_no is missing'
    WHEN NULLIF(txn_type, '') IS NULL THEN 'txn_type is missing'
    WHEN NULLIF(line_type, '') IS NULL THEN 'line_type is missing'
    WHEN NULLIF(business_date, DATE '0001-01-01') IS NULL THEN 'business_date is missing'
    WHEN NULLIF(quantity, -99999999999999) IS NULL THEN 'quantity is missing'
    WHEN NULLIF(unit_price, -99999999999999) IS NULL THEN 'unit_price is missing'
    WHEN NULLIF(line_total, -99999999999999) IS NULL THEN 'line_total is missing'
    WHEN NULLIF(currency, '') IS NULL THEN 'currency is missing'
    WHEN txn_type NOT IN (
      'sale', 'return', 'void', 'cancel'
    ) THEN 'txn_type is not a word of the model: ' || txn_type
    WHEN line_type NOT IN (
      'item', 'fee', 'shipping', 'discount', 'gift'
    ) THEN 'line_type is not a word of the model: ' || line_type
    WHEN unit_price < 0 AND line_type <> 'discount'
      THEN 'unit_price is negative'
    WHEN txn_type = 'sale' AND quantity <= 0
      THEN 'quantity of a sale must be positive'
    WHEN txn_type <> 'sale' AND quantity >= 0
      THEN 'quantity of a return, void or cancellation must be negative'
    WHEN line_type = 'item' AND sku IS NULL
      THEN 'sku is missing on an item'
    WHEN ABS(line_total - quantity * unit_price) > 0.01
      THEN 'line_total is not quantity * unit_price'
    WHEN CHAR_LENGTH(currency) <> 3
      THEN 'currency is not a code of three letters'
  END AS broken_rule
FROM feed.sale_line;

CREATE VIEW sale_line AS
SELECT
  event_id, event_time, ingest_time, source, channel, transaction_id, line_no, txn_type,
  line_type, order_id, store_id, workstation_id, business_date, customer_id, session_id,
  campaign_id, sku, product_id, category_id, description, quantity, uom, list_price, unit_price,
  discount_amount, tax_amount, line_total, currency, promotion_id, coupon,
  original_transaction_id, reason_code, ext
FROM feed.judged_sale_line
WHERE broken_rule IS NULL;

CREATE VIEW dirty_sale_line AS
SELECT 'sale_line' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel,
    KEY 'transaction_id' VALUE transaction_id, KEY 'line_no' VALUE line_no,
    KEY 'txn_type' VALUE txn_type, KEY 'line_type' VALUE line_type, KEY 'order_id' VALUE order_id,
    KEY 'store_id' VALUE store_id, KEY 'workstation_id' VALUE workstation_id,
    KEY 'business_date' VALUE CAST(business_date AS STRING), KEY 'customer_id' VALUE customer_id,
    KEY 'session_id' VALUE session_id, KEY 'campaign_id' VALUE campaign_id, KEY 'sku' VALUE sku,
    KEY 'product_id' VALUE product_id, KEY 'category_id' VALUE category_id,
    KEY 'description' VALUE description, KEY 'quantity' VALUE CAST(quantity AS STRING),
    KEY 'uom' VALUE uom, KEY 'list_price' VALUE CAST(list_price AS STRING),
    KEY 'unit_price' VALUE CAST(unit_price AS STRING),
    KEY 'discount_amount' VALUE CAST(discount_amount AS STRING),
    KEY 'tax_amount' VALUE CAST(tax_amount AS STRING),
    KEY 'line_total' VALUE CAST(line_total AS STRING), KEY 'currency' VALUE currency,
    KEY 'promotion_id' VALUE promotion_id, KEY 'coupon' VALUE coupon,
    KEY 'original_transaction_id' VALUE original_transaction_id,
    KEY 'reason_code' VALUE reason_code
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_sale_line
WHERE broken_rule IS NOT NULL;
