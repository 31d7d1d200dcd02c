-- Which messages may leave the house now, and why the others may not.

-- The minute that it is, by the events themselves, beside the days that are still open: no message
-- is due for longer than a day.
CREATE VIEW delivery_clock AS
SELECT MAX(`minute`) AS now_minute, CAST(MAX(`minute`) AS DATE) AS today
FROM (
  SELECT FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS `minute` FROM behavior_event
  UNION ALL
  SELECT FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS `minute` FROM sale_line
  UNION ALL
  SELECT FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS `minute` FROM contact_event);

CREATE VIEW delivery_today AS SELECT MAX(today) AS today FROM delivery_clock;

-- What could not leave in time, as a yes or a consent came later, still waits for the quiet to end.
CREATE VIEW delivery_timing AS
SELECT p.decision_id,
  CASE
    WHEN p.send_at >= c.now_minute + INTERVAL '1' MINUTE THEN 'waiting'
    WHEN TIMESTAMPDIFF(MINUTE, p.send_at, c.now_minute) > ${DELIVERY_EXPIRE_HOURS:-12} * 60
      THEN 'past'
    WHEN MOD(p.minute_of_day - ${DELIVERY_QUIET_FROM:-21} * 60 + 1440 + TIMESTAMPDIFF(MINUTE,
        FLOOR(CAST(p.wanted_at AS TIMESTAMP(3)) TO MINUTE), c.now_minute), 1440)
        < MOD(${DELIVERY_QUIET_UNTIL:-8} - ${DELIVERY_QUIET_FROM:-21} + 24, 24) * 60
      THEN 'quiet'
    ELSE 'due'
  END AS timing
FROM delivery_plan AS p
JOIN (
  SELECT now_minute, today AS open_day FROM delivery_clock
  UNION ALL
  SELECT now_minute, TIMESTAMPADD(DAY, -1, today) AS open_day FROM delivery_clock) AS c
ON CAST(p.send_at AS DATE) = c.open_day
UNION ALL
SELECT p.decision_id, 'past' AS timing
FROM delivery_plan AS p
JOIN delivery_today AS d ON CAST(p.send_at AS DATE) < TIMESTAMPADD(DAY, -1, d.today);

-- What a customer has got: what was handed over here, and what is known to have been sent by
-- anybody. A message counts once.
CREATE VIEW delivery_got AS
SELECT customer_id, message, MIN(sent_at) AS sent_at
FROM (
  SELECT customer_id, decision_id AS message, CAST(send_at AS TIMESTAMP(3)) AS sent_at
  FROM delivery_outbox
  UNION ALL
  SELECT customer_id, COALESCE(decision_id, message_id, event_id) AS message,
    CAST(event_time AS TIMESTAMP(3)) AS sent_at
  FROM contact_event WHERE kind = 'sent')
GROUP BY customer_id, message;

CREATE VIEW delivery_near AS
SELECT p.decision_id, COUNT(*) AS messages
FROM delivery_plan AS p
JOIN delivery_got AS g ON p.customer_id = g.customer_id
WHERE g.message <> p.decision_id
  AND g.sent_at > p.send_at - INTERVAL '${DELIVERY_CAP_DAYS:-7}' DAY(3)
  AND g.sent_at < p.send_at + INTERVAL '${DELIVERY_CAP_DAYS:-7}' DAY(3)
GROUP BY p.decision_id;

-- What will not leave any more, as the outbox has it: the reason that was noted stays.
CREATE VIEW delivery_given_up AS
SELECT decision_id, MIN(unsent_because) AS unsent_because FROM delivery_unsent GROUP BY decision_id;

-- `verdict` is the first that holds. A message that nobody has settled has a time to live: behind it
-- (`is_over`) it does not leave any more, whatever kept it. What the outbox has given up stays so.
CREATE VIEW delivery_judged AS
SELECT decision_id, customer_id, decided_at, send_at, variant, messages,
  given_up IS NOT NULL OR settled IS NULL AND timing = 'past' AS is_over,
  CASE
    WHEN settled IS NOT NULL THEN settled
    WHEN allowed IS NULL THEN 'no consent: never asked'
    WHEN NOT allowed THEN 'no consent: ' || word
    WHEN messages >= ${DELIVERY_CAP:-2} THEN 'frequency cap: '
      || CAST(messages AS STRING) || ' other messages within ${DELIVERY_CAP_DAYS:-7} days'
    WHEN timing = 'past' THEN 'too old: not sent within ${DELIVERY_EXPIRE_HOURS:-12} hours'
    WHEN timing = 'due' THEN 'due'
    WHEN timing = 'quiet' OR send_at > CAST(wanted_at AS TIMESTAMP(3)) THEN 'quiet hours'
    ELSE 'its time has not come'
  END AS verdict
FROM (
  SELECT p.decision_id, p.customer_id, p.decided_at, p.wanted_at, p.send_at, p.variant,
    COALESCE(n.messages, 0) AS messages, c.allowed, c.word, t.timing, u.unsent_because AS given_up,
    CASE
      WHEN o.decision_id IS NOT NULL THEN 'handed over'
      WHEN u.decision_id IS NOT NULL THEN u.unsent_because
      WHEN p.variant = 'hold_out' THEN 'held out'
      WHEN p.withdrawn = 1 THEN 'withdrawn before it was sent'
      WHEN p.wanted = 0 AND p.refused = 0 THEN 'waits for approval'
      WHEN p.wanted = 0 THEN 'rejected by its policy'
      WHEN p.refused = 1 THEN 'rejected before it was sent'
      WHEN CAST(p.decided_at AS TIMESTAMP(3))
          < TIMESTAMP '${DELIVERY_NOT_BEFORE:-1970-01-01 00:00:00}'
        THEN 'decided before ${DELIVERY_NOT_BEFORE:-1970-01-01 00:00:00}'
    END AS settled
  FROM delivery_plan AS p
  LEFT JOIN (SELECT DISTINCT decision_id FROM delivery_outbox) AS o
  ON p.decision_id = o.decision_id
  LEFT JOIN delivery_given_up AS u ON p.decision_id = u.decision_id
  LEFT JOIN delivery_consent AS c ON p.customer_id = c.customer_id
  LEFT JOIN delivery_near AS n ON p.decision_id = n.decision_id
  LEFT JOIN delivery_timing AS t ON p.decision_id = t.decision_id);

-- Of those that are due together, the oldest ones. Whether the cap leaves room for one is asked of
-- the two sides of a join: beside `nth <= …` Flink would not know the ranking.
CREATE VIEW delivery_oldest AS
SELECT decision_id, nth
FROM (
  SELECT decision_id, ROW_NUMBER() OVER (
    PARTITION BY customer_id ORDER BY send_at, decided_at, decision_id) AS nth
  FROM delivery_judged
  WHERE verdict = 'due')
WHERE nth <= ${DELIVERY_CAP:-2};

-- Key: decision_id. Every message with what is to become of it:
--   approved     may leave now            waiting     when its hour has come (`send_at`)
--   handed_over  is in the outbox         suppressed  may not be sent: `suppressed_because`
--   expired      its time to live has passed, or the outbox had no room: it never leaves any more
CREATE MATERIALIZED VIEW delivery_contact AS
SELECT j.decision_id, j.customer_id, j.decided_at, CAST(j.send_at AS TIMESTAMP_LTZ(3)) AS send_at,
  CASE
    WHEN j.verdict = 'handed over' THEN 'handed_over'
    WHEN j.is_over THEN 'expired'
    WHEN a.decision_id IS NOT NULL THEN 'approved'
    WHEN j.verdict IN ('quiet hours', 'its time has not come', 'waits for approval')
      THEN 'waiting'
    ELSE 'suppressed'
  END AS status,
  CASE
    WHEN j.verdict = 'handed over' OR a.decision_id IS NOT NULL THEN CAST(NULL AS STRING)
    WHEN j.verdict = 'due' THEN 'frequency cap: older messages go first'
    ELSE j.verdict
  END AS suppressed_because,
  w.decision_type, w.amount, w.currency, w.action, w.policy, w.experiment, w.variant, w.propensity
FROM delivery_judged AS j
JOIN delivery_wanted AS w ON j.decision_id = w.decision_id
LEFT JOIN delivery_oldest AS a
ON j.decision_id = a.decision_id AND j.messages + a.nth <= ${DELIVERY_CAP:-2};

-- How many of each policy leave the house, and what keeps the others in.
CREATE MATERIALIZED VIEW delivery_count AS
SELECT policy, status, suppressed_because, COUNT(*) AS messages
FROM delivery_contact
GROUP BY policy, status, suppressed_because;
