-- Whom to write to, and with what. A row of model.decision for each customer who has become silent:
--   offer    silent for ${CUSTOMERS_WINBACK_DAYS:-90} days: win back, with a discount that is
--            larger for who looks at prices
--   contact  bought several times, and the next purchase is overdue: a reminder, no discount
-- It goes when the customer buys, and when the silence passes ${CUSTOMERS_GIVE_UP_DAYS:-365} days.
-- status `proposed` may be acted upon; `rejected` may not, and `reasons` says why: no consent,
-- written to too often, held out for comparison, or sales that are too old to tell.

CREATE VIEW customers_silent AS
SELECT r.customer_id, r.recency_days, r.frequency, r.monetary, r.cycle_days, r.last_at,
  CASE WHEN r.recency_days > ${CUSTOMERS_WINBACK_DAYS:-90} THEN 'offer' ELSE 'contact' END
    AS decision_type,
  CASE WHEN p.list_amount - p.amount >= p.list_amount * 0.20
    THEN ${CUSTOMERS_OFFER_SENSITIVE:-0.20} ELSE ${CUSTOMERS_OFFER:-0.10} END AS discount,
  COALESCE(n.allowed, FALSE) AS allowed, COALESCE(n.word, 'never asked') AS word,
  COALESCE(c.recent, 0) AS recent,
  TIMESTAMPDIFF(DAY, t.sales_day, t.today) AS sales_age_days,
  -- A share of all customers, the same ones always: their ids' hashes choose them.
  MOD(CAST(CONV(SUBSTRING(MD5('customers_winback' || '/' || r.customer_id), 1, 7), 16, 10)
    AS BIGINT), 100) < ${CUSTOMERS_HOLD_OUT:-10} AS held_out
FROM customer_rfm AS r
JOIN customer_purchase AS p ON p.customer_id = r.customer_id
CROSS JOIN customers_today AS t
LEFT JOIN customer_consent AS n ON n.customer_id = r.customer_id
LEFT JOIN customer_contact AS c ON c.customer_id = r.customer_id
WHERE r.recency_days <= ${CUSTOMERS_GIVE_UP_DAYS:-365}
  AND (r.recency_days > ${CUSTOMERS_WINBACK_DAYS:-90}
    OR (r.frequency >= 3 AND r.recency_days > GREATEST(r.cycle_days * 1.5, 7)));

-- Key: decision_id. One decision for each silence and type, however often it is looked at.
CREATE MATERIALIZED VIEW customers_decision AS
SELECT
  decision_type || '/' || customer_id || '/' || CAST(last_at AS STRING) AS decision_id,
  CASE WHEN decision_type = 'offer'
    THEN TIMESTAMPADD(DAY, ${CUSTOMERS_WINBACK_DAYS:-90} + 1, last_at)
    ELSE TIMESTAMPADD(DAY, CAST(FLOOR(GREATEST(cycle_days * 1.5, 7)) AS INT) + 1, last_at)
  END AS decided_at,
  decision_type, 'customer' AS subject_type, customer_id AS subject_id,
  CAST(NULL AS STRING) AS sku, CAST(NULL AS STRING) AS location_id, customer_id,
  CASE WHEN decision_type = 'offer' THEN 'win_back' ELSE 'retention' END AS campaign_id,
  CAST(NULL AS DECIMAL(18, 4)) AS quantity,
  CASE WHEN decision_type = 'offer' THEN CAST(discount AS DECIMAL(18, 4)) END AS amount,
  CAST(NULL AS STRING) AS currency,
  CASE WHEN decision_type = 'offer'
    THEN JSON_OBJECT(KEY 'customer_id' VALUE customer_id,
      KEY 'discount' VALUE CAST(discount AS STRING), KEY 'template' VALUE 'we_miss_you')
    ELSE JSON_OBJECT(KEY 'customer_id' VALUE customer_id, KEY 'template' VALUE 'reminder')
  END AS action,
  'customers_silence' AS policy, '1' AS policy_version, CAST(NULL AS STRING) AS model_version,
  sales_age_days * CAST(86400000 AS BIGINT) AS data_age_ms,
  JSON_OBJECT(KEY 'recency_days' VALUE recency_days, KEY 'frequency' VALUE frequency,
    KEY 'monetary' VALUE CAST(CAST(monetary AS DECIMAL(18, 2)) AS STRING),
    KEY 'recent_messages' VALUE recent, KEY 'consent' VALUE word) AS inputs,
  JSON_ARRAY(
    'No purchase for ' || CAST(recency_days AS STRING) || ' days, after '
      || CAST(frequency AS STRING) || ' orders worth '
      || CAST(CAST(monetary AS DECIMAL(18, 2)) AS STRING) || '.',
    CASE WHEN cycle_days IS NOT NULL THEN 'Used to buy every '
      || CAST(CAST(cycle_days AS DECIMAL(9, 1)) AS STRING) || ' days.' END,
    CASE WHEN sales_age_days > ${CUSTOMERS_MAX_AGE_DAYS:-3} THEN 'Refused: the newest sale is '
      || CAST(sales_age_days AS STRING) || ' days old; silence cannot be told from a broken feed.'
      END,
    CASE WHEN NOT allowed THEN 'Refused: no consent to advertising (' || word || ').' END,
    CASE WHEN recent >= ${CUSTOMERS_CAP:-4} THEN 'Refused: ' || CAST(recent AS STRING)
      || ' messages in the last ${CUSTOMERS_CAP_DAYS:-30} days, the cap is ${CUSTOMERS_CAP:-4}.'
      END,
    CASE WHEN held_out THEN 'Held out: ${CUSTOMERS_HOLD_OUT:-10} % of customers get none, '
      || 'to compare with.' END
  ) AS reasons,
  'customers_winback' AS experiment,
  CASE WHEN held_out THEN 'hold_out' ELSE 'policy' END AS variant,
  CASE WHEN held_out THEN ${CUSTOMERS_HOLD_OUT:-10} / 100.0E0
    ELSE 1 - ${CUSTOMERS_HOLD_OUT:-10} / 100.0E0 END AS propensity,
  CASE WHEN sales_age_days > ${CUSTOMERS_MAX_AGE_DAYS:-3} OR NOT allowed OR held_out
    OR recent >= ${CUSTOMERS_CAP:-4} THEN 'rejected' ELSE 'proposed' END AS status,
  'pack customers' AS actor, CAST(NULL AS STRING) AS ext
FROM customers_silent;

-- Key: (decision_id, event_id). What customers bought within ${CUSTOMERS_OUTCOME_DAYS:-30} days of
-- a decision of this pack that was written into the table `decision`, held out ones too.
CREATE MATERIALIZED VIEW customers_outcome AS
SELECT DISTINCT d.decision_id, s.event_id, s.event_time, 'sale' AS kind, s.line_total AS `value`,
  s.currency, 'last' AS attribution, d.variant
FROM decision AS d
LEFT JOIN customer_merge AS m ON m.customer_id = d.customer_id
JOIN (
  SELECT l.*, COALESCE(k.remains, l.customer_id) AS buyer_id FROM customers_line AS l
  LEFT JOIN customer_merge AS k ON k.customer_id = l.customer_id) AS s
  ON s.buyer_id = COALESCE(m.remains, d.customer_id)
  AND s.event_time > d.decided_at
  AND s.event_time <= d.decided_at + INTERVAL '${CUSTOMERS_OUTCOME_DAYS:-30}' DAY(3)
WHERE d.policy = 'customers_silence' AND s.line_type IN ('item', 'discount');
