CREATE VIEW feed.judged_tender_line AS
SELECT *,
  CASE
    WHEN NULLIF(event_id, '') IS NULL THEN 'event_id is missing'
    WHEN NULLIF(transaction_id, '') IS NULL THEN 'transaction_id is missing'
    WHEN NULLIF(tender_no, -2147483648) IS NULL THEN 'tender_no is missing'
    WHEN NULLIF(tender_type, '') IS NULL THEN 'tender_type is missing'
    WHEN NULLIF(amount, -99999999999999) IS NULL THEN 'amount is missing'
    WHEN NULLIF(currency, '') IS NULL THEN 'currency is missing'
    WHEN NULLIF(status, '') IS NULL THEN 'status is missing'
    WHEN tender_type NOT IN (
      'cash', 'card', 'wechat', 'alipay', 'points', 'voucher', 'cod'
    ) THEN 'tender_type is not a word of the model: ' || tender_type
    WHEN status NOT IN (
      'authorized', 'captured', 'declined', 'refunded'
    ) THEN 'status is not a word of the model: ' || status
    WHEN status = 'refunded' AND amount > 0
      THEN 'amount of a refund must not be positive'
    WHEN status = 'captured' AND amount < 0
      THEN 'amount of a payment must not be negative'
    WHEN CHAR_LENGTH(currency) <> 3
      THEN 'currency is not a code of three letters'
  END AS broken_rule
FROM feed.tender_line;

CREATE VIEW tender_line AS
SELECT
  event_id, event_time, ingest_time, source, channel, transaction_id, tender_no, store_id,
  customer_id, tender_type, amount, currency, status, ext
FROM feed.judged_tender_line
WHERE broken_rule IS NULL;

CREATE VIEW dirty_tender_line AS
SELECT 'tender_line' AS table_name, event_id, event_time, broken_rule AS reason,
  JSON_OBJECT(
    KEY 'event_id' VALUE event_id, KEY 'event_time' VALUE CAST(event_time AS STRING),
    KEY 'source' VALUE source, KEY 'channel' VALUE channel,
    KEY 'transaction_id' VALUE transaction_id, KEY 'tender_no' VALUE tender_no,
    KEY 'store_id' VALUE store_id, KEY 'customer_id' VALUE customer_id,
    KEY 'tender_type' VALUE tender_type, KEY 'amount' VALUE CAST(amount AS STRING),
    KEY 'currency' VALUE currency, KEY 'status' VALUE status
    ABSENT ON NULL
  ) AS raw
FROM feed.judged_tender_line
WHERE broken_rule IS NOT NULL;
