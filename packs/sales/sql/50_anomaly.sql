-- Does a store sell far more or far less than it does at this hour?
--
-- An hour is compared with the same hour of the last days (SALES_HISTORY_DAYS). A day on which the
-- store sold nothing in that hour counts as zero, and an hour in which nothing at all was sold is
-- judged too: it is the one that matters most.
--
-- z = (gmv - mean) / spread. The spread is the standard deviation of the history, but not less than
-- a share of the mean (SALES_LEAST_SPREAD): a few days that were alike by chance prove nothing.
-- A store with fewer days of history than SALES_LEAST_DAYS is not judged.

-- The last hour that is over. An hour is over when somewhere something was sold after it: no clock
-- is read, and a feed that has stopped altogether raises no alarm here.
CREATE VIEW sales_last_hour AS
SELECT MAX(sale_hour) - INTERVAL '1' HOUR AS sale_hour FROM sales_by_store_hour;

-- Each hour of sales is history for the same hour of the days that follow.
CREATE VIEW sales_hour_history AS
SELECT h.sale_hour + k.days * INTERVAL '1' DAY AS sale_hour, h.store_id, h.currency,
  SUM(h.gmv) AS gmv, SUM(CAST(h.gmv * h.gmv AS DECIMAL(38, 6))) AS gmv_squared
FROM sales_by_store_hour AS h
CROSS JOIN (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14))
  AS k (days)
WHERE k.days <= ${SALES_HISTORY_DAYS:-7}
GROUP BY h.sale_hour + k.days * INTERVAL '1' DAY, h.store_id, h.currency;

-- Since when a store sells at all: days before that are no history.
CREATE VIEW sales_store_since AS
SELECT store_id, currency, CAST(MIN(sale_hour) AS DATE) AS since
FROM sales_by_store_hour
GROUP BY store_id, currency;

CREATE VIEW sales_last_hour_scored AS
SELECT sale_hour, store_id, currency, gmv, days, mean,
  GREATEST(
    SQRT(GREATEST(
      CAST((gmv_squared - days * mean * mean) / (days - 1) AS DOUBLE), CAST(0 AS DOUBLE))),
    CAST(mean AS DOUBLE) * ${SALES_LEAST_SPREAD:-0.15},
    CAST(0.01 AS DOUBLE)) AS spread
FROM (
  SELECT c.sale_hour, p.store_id, p.currency,
    COALESCE(h.gmv, 0) AS gmv,
    COALESCE(p.gmv, 0) / p.days AS mean,
    COALESCE(p.gmv_squared, 0) AS gmv_squared,
    p.days
  FROM sales_last_hour AS c
  JOIN (
    SELECT y.sale_hour, y.store_id, y.currency, y.gmv, y.gmv_squared,
      LEAST(${SALES_HISTORY_DAYS:-7}, TIMESTAMPDIFF(DAY, s.since, CAST(y.sale_hour AS DATE)))
        AS days
    FROM sales_hour_history AS y
    JOIN sales_store_since AS s ON y.store_id = s.store_id AND y.currency = s.currency) AS p
  ON c.sale_hour = p.sale_hour
  LEFT JOIN sales_by_store_hour AS h
  ON p.sale_hour = h.sale_hour AND p.store_id = h.store_id AND p.currency = h.currency
  WHERE p.days >= GREATEST(2, ${SALES_LEAST_DAYS:-3}));

-- A row appears when the hour is over, and goes when the store's next hour is as usual.
CREATE MATERIALIZED VIEW sales_anomaly_alert AS
SELECT store_id, currency, sale_hour,
  CASE WHEN z > 0 THEN 'high' ELSE 'low' END AS direction,
  gmv,
  CAST(mean AS DECIMAL(18, 2)) AS usual_gmv,
  CAST(z AS DECIMAL(18, 2)) AS z_score,
  days AS history_days,
  'sold ' || CAST(CAST(gmv AS DECIMAL(18, 2)) AS STRING) || ' ' || currency
    || ', usually ' || CAST(CAST(mean AS DECIMAL(18, 2)) AS STRING) || ' at this hour (mean of '
    || CAST(days AS STRING) || ' days, z-score ' || CAST(CAST(z AS DECIMAL(18, 1)) AS STRING)
    || ')' AS reason
FROM (SELECT *, (CAST(gmv AS DOUBLE) - CAST(mean AS DOUBLE)) / spread AS z
  FROM sales_last_hour_scored)
WHERE ABS(z) >= ${SALES_ALERT_Z:-3};
