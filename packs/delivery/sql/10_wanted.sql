-- Messages that somebody wants sent, when they may be sent, and to whom.

-- Key: decision_id. One row for a message, however many words there are on it in `decision`: that it
-- was proposed or approved (DELIVERY_STATUS), that it was rejected or has expired. `wanted_at` is the
-- first of those that want it: what waited for somebody's yes is wanted from then on.
CREATE VIEW delivery_wanted AS
SELECT decision_id, MIN(decided_at) AS decided_at,
  COALESCE(MIN(CASE WHEN status IN (${DELIVERY_STATUS:-'proposed', 'approved'}) THEN decided_at END),
    MIN(decided_at)) AS wanted_at,
  MAX(decision_type) AS decision_type,
  MAX(customer_id) AS customer_id, MAX(amount) AS amount, MAX(currency) AS currency,
  MAX(action) AS action, MAX(policy) AS policy, MAX(experiment) AS experiment,
  MAX(variant) AS variant, MAX(propensity) AS propensity,
  MAX(CASE WHEN status IN (${DELIVERY_STATUS:-'proposed', 'approved'}) THEN 1 ELSE 0 END) AS wanted,
  MAX(CASE WHEN status = 'expired' THEN 1 ELSE 0 END) AS withdrawn,
  MAX(CASE WHEN status = 'rejected' THEN 1 ELSE 0 END) AS refused
FROM decision
WHERE decision_type IN ('contact', 'offer') AND customer_id IS NOT NULL
GROUP BY decision_id;

-- Where a customer's clock stands: `time_zone` in the customer's `ext`, else the shop's.
CREATE VIEW delivery_customer AS
SELECT customer_id, updated_at, marketing_consent,
  COALESCE(JSON_VALUE(ext, '$.time_zone'), '${DELIVERY_TIME_ZONE:-UTC}') AS time_zone
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY CAST(updated_at AS TIMESTAMP(3)) DESC) AS nth
  FROM customer)
WHERE nth = 1;

-- The customer's last word on advertising: given, taken back, unsubscribed; without one, what the
-- customer table says; without that, none was given.
CREATE VIEW delivery_consent AS
SELECT customer_id, allowed = 1 AS allowed, word FROM (
  SELECT customer_id, allowed, word, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY strength DESC, said_at DESC, allowed, word) AS nth
  FROM (
    SELECT customer_id, CASE WHEN op = 'consent_granted' THEN 1 ELSE 0 END AS allowed, op AS word,
      CAST(event_time AS TIMESTAMP(3)) AS said_at, 1 AS strength
    FROM identity_event
    WHERE op IN ('consent_granted', 'consent_withdrawn') AND purpose = 'marketing'
    UNION ALL
    SELECT customer_id, 0, 'unsubscribed', CAST(event_time AS TIMESTAMP(3)), 1
    FROM contact_event WHERE kind = 'unsubscribed'
    UNION ALL
    SELECT customer_id, CASE WHEN marketing_consent THEN 1 ELSE 0 END, 'customer table',
      CAST(updated_at AS TIMESTAMP(3)), 0
    FROM delivery_customer WHERE marketing_consent IS NOT NULL))
WHERE nth = 1;

-- When it may be sent: at once, or when the quiet hours of the customer are over. Quiet is a minute
-- that is less behind the hour in which the quiet begins than that is long.
CREATE VIEW delivery_plan AS
SELECT decision_id, decided_at, wanted_at, customer_id, wanted, withdrawn, refused, variant,
  minute_of_day,
  CASE
    WHEN MOD(minute_of_day - ${DELIVERY_QUIET_FROM:-21} * 60 + 1440, 1440)
        < MOD(${DELIVERY_QUIET_UNTIL:-8} - ${DELIVERY_QUIET_FROM:-21} + 24, 24) * 60
      THEN TIMESTAMPADD(MINUTE, MOD(${DELIVERY_QUIET_UNTIL:-8} * 60 - minute_of_day + 1440, 1440),
        FLOOR(CAST(wanted_at AS TIMESTAMP(3)) TO MINUTE))
    ELSE CAST(wanted_at AS TIMESTAMP(3))
  END AS send_at
FROM (
  SELECT *, EXTRACT(HOUR FROM local_time) * 60 + EXTRACT(MINUTE FROM local_time) AS minute_of_day
  FROM (
    SELECT w.*,
      TO_TIMESTAMP(CONVERT_TZ(
        DATE_FORMAT(TIMESTAMPADD(SECOND,
          TIMESTAMPDIFF(SECOND, TO_TIMESTAMP_LTZ(0, 3), w.wanted_at),
          TIMESTAMP '1970-01-01 00:00:00'), 'yyyy-MM-dd HH:mm:ss'),
        'UTC', COALESCE(c.time_zone, '${DELIVERY_TIME_ZONE:-UTC}'))) AS local_time
    FROM delivery_wanted AS w
    LEFT JOIN delivery_customer AS c ON w.customer_id = c.customer_id));
