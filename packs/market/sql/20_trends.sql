-- What is talked about and searched for more than usual?
--
-- Topics are counted in bins, MARKET_BIN: DAY, or HOUR where signals come often enough. What a
-- topic should have is its usual share of all that is said in its kind, so that a busy day (or the
-- hour after supper) is no trend by itself:
--
--   usual   EWMA of the topic's share over the last 14 bins (MARKET_ALPHA weighs the newest one),
--           times all mentions of this bin
--   z       (mentions - usual) / spread; the spread is that of counting, but not less than
--           MARKET_LEAST_SPREAD of what is usual
--   cusum   the largest sum of (z - 0.5) over the last bins up to five: a small rise that lasts
--           counts as much as a big one
--
-- Weights and sums are decimals: a sum from which rows are taken back stays exact.

-- Each signal once, and what visitors of the shop itself search for.
CREATE VIEW market_mention AS
SELECT kind, topic, CAST(COALESCE(`value`, 1) AS DECIMAL(18, 4)) AS mentions,
  FLOOR(CAST(event_time AS TIMESTAMP(3)) TO ${MARKET_BIN:-DAY}) AS bin
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM market_signal)
WHERE nth = 1
UNION ALL
SELECT 'shop_search' AS kind, LOWER(TRIM(query)) AS topic, CAST(1 AS DECIMAL(18, 4)) AS mentions,
  FLOOR(CAST(event_time AS TIMESTAMP(3)) TO ${MARKET_BIN:-DAY}) AS bin
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY event_time DESC) AS nth
  FROM behavior_event
  WHERE action = 'search')
WHERE nth = 1 AND TRIM(query) <> '';

CREATE VIEW market_topic_bin AS
SELECT kind, topic, bin, SUM(mentions) AS mentions
FROM market_mention GROUP BY kind, topic, bin;

CREATE VIEW market_kind_bin AS
SELECT kind, bin, SUM(mentions) AS mentions FROM market_mention GROUP BY kind, bin;

-- How much a bin counts for the one that comes `bins` later.
CREATE VIEW market_weight AS
SELECT bins,
  CAST(POWER(1 - CAST(${MARKET_ALPHA:-0.2} AS DOUBLE), bins - 1) AS DECIMAL(9, 6)) AS weight
FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14))
  AS w (bins);

CREATE VIEW market_topic_past AS
SELECT t.kind, t.topic, t.bin + w.bins * INTERVAL '1' ${MARKET_BIN:-DAY} AS bin,
  SUM(CAST(t.mentions * w.weight AS DECIMAL(28, 6))) AS mentions
FROM market_topic_bin AS t CROSS JOIN market_weight AS w
GROUP BY t.kind, t.topic, t.bin + w.bins * INTERVAL '1' ${MARKET_BIN:-DAY};

CREATE VIEW market_kind_past AS
SELECT t.kind, t.bin + w.bins * INTERVAL '1' ${MARKET_BIN:-DAY} AS bin,
  SUM(CAST(t.mentions * w.weight AS DECIMAL(28, 6))) AS mentions, COUNT(*) AS bins
FROM market_kind_bin AS t CROSS JOIN market_weight AS w
GROUP BY t.kind, t.bin + w.bins * INTERVAL '1' ${MARKET_BIN:-DAY};

-- A topic that was never heard of has usual = 0, one that nobody mentions any more mentions = 0.
CREATE VIEW market_topic_score AS
SELECT *,
  CAST((mentions - usual) / GREATEST(
    SQRT(usual), usual * ${MARKET_LEAST_SPREAD:-0.2}, CAST(1 AS DOUBLE)) AS DECIMAL(18, 4)) AS z
FROM (
  SELECT t.kind, t.topic, t.bin, t.mentions, k.mentions AS all_mentions, p.bins,
    CAST(t.mentions / NULLIF(k.mentions, 0) AS DECIMAL(18, 8)) AS share,
    CAST(t.past / NULLIF(p.mentions, 0) AS DECIMAL(18, 8)) AS usual_share,
    CAST(k.mentions AS DOUBLE)
      * CAST(CAST(t.past / NULLIF(p.mentions, 0) AS DECIMAL(18, 8)) AS DOUBLE) AS usual
  FROM (
    SELECT kind, topic, bin, SUM(mentions) AS mentions, SUM(past) AS past
    FROM (
      SELECT kind, topic, bin, CAST(mentions AS DECIMAL(28, 6)) AS mentions,
        CAST(0 AS DECIMAL(28, 6)) AS past
      FROM market_topic_bin
      UNION ALL
      SELECT kind, topic, bin, CAST(0 AS DECIMAL(28, 6)) AS mentions,
        CAST(mentions AS DECIMAL(28, 6)) AS past
      FROM market_topic_past)
    GROUP BY kind, topic, bin) AS t
  JOIN market_kind_bin AS k ON t.kind = k.kind AND t.bin = k.bin
  JOIN market_kind_past AS p ON t.kind = p.kind AND t.bin = p.bin)
WHERE bins >= ${MARKET_LEAST_BINS:-5};

-- The z of this bin and of the four before it, side by side.
CREATE VIEW market_topic_recent AS
SELECT kind, topic, bin,
  SUM(CASE WHEN bins = 0 THEN z ELSE 0 END) AS z0,
  SUM(CASE WHEN bins = 1 THEN z ELSE 0 END) AS z1,
  SUM(CASE WHEN bins = 2 THEN z ELSE 0 END) AS z2,
  SUM(CASE WHEN bins = 3 THEN z ELSE 0 END) AS z3,
  SUM(CASE WHEN bins = 4 THEN z ELSE 0 END) AS z4
FROM (
  SELECT s.kind, s.topic, s.bin + w.bins * INTERVAL '1' ${MARKET_BIN:-DAY} AS bin, w.bins, s.z
  FROM market_topic_score AS s
  CROSS JOIN (VALUES (0), (1), (2), (3), (4)) AS w (bins))
GROUP BY kind, topic, bin;

-- Every topic in every bin, also in the one that is not over.
CREATE MATERIALIZED VIEW market_trend AS
SELECT kind, topic, bin, mentions, usual, share_percent, usual_share_percent, z_score, rise, fall,
  CASE
    WHEN rise >= ${MARKET_ALERT_CUSUM:-4} AND mentions >= ${MARKET_LEAST_MENTIONS:-5}
      THEN 'rising'
    WHEN fall >= ${MARKET_ALERT_CUSUM:-4} AND usual >= ${MARKET_LEAST_MENTIONS:-5}
      THEN 'falling'
    ELSE 'steady'
  END AS trend
FROM (
  SELECT s.kind, s.topic, s.bin,
    CAST(s.mentions AS DECIMAL(18, 2)) AS mentions,
    CAST(s.usual AS DECIMAL(18, 2)) AS usual,
    CAST(100 * s.share AS DECIMAL(9, 2)) AS share_percent,
    CAST(100 * s.usual_share AS DECIMAL(9, 2)) AS usual_share_percent,
    CAST(s.z AS DECIMAL(18, 2)) AS z_score,
    CAST(GREATEST(0, r.z0 - 0.5, r.z0 + r.z1 - 1, r.z0 + r.z1 + r.z2 - 1.5,
      r.z0 + r.z1 + r.z2 + r.z3 - 2, r.z0 + r.z1 + r.z2 + r.z3 + r.z4 - 2.5)
      AS DECIMAL(18, 2)) AS rise,
    CAST(GREATEST(0, -r.z0 - 0.5, -r.z0 - r.z1 - 1, -r.z0 - r.z1 - r.z2 - 1.5,
      -r.z0 - r.z1 - r.z2 - r.z3 - 2, -r.z0 - r.z1 - r.z2 - r.z3 - r.z4 - 2.5)
      AS DECIMAL(18, 2)) AS fall
  FROM market_topic_score AS s
  JOIN market_topic_recent AS r
  ON s.kind = r.kind AND s.topic = r.topic AND s.bin = r.bin);

-- Heavy hitters: the topics whose share rose most, of each kind and bin.
CREATE MATERIALIZED VIEW market_rising_topics AS
SELECT kind, bin, place, topic, mentions, share_percent, usual_share_percent, rise_points
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY kind, bin ORDER BY rise_points DESC, mentions DESC, topic) AS place
  FROM (
    SELECT kind, bin, topic, mentions, share_percent, usual_share_percent,
      share_percent - usual_share_percent AS rise_points
    FROM market_trend
    WHERE mentions >= ${MARKET_LEAST_MENTIONS:-5} AND share_percent > usual_share_percent))
WHERE place <= ${MARKET_TOP:-10};

-- The last bin that is over: one is over when anything was said after it.
CREATE VIEW market_last_bin AS
SELECT MAX(bin) - INTERVAL '1' ${MARKET_BIN:-DAY} AS bin FROM market_kind_bin;

-- There as long as the last bin that is over shows a trend.
CREATE MATERIALIZED VIEW market_trend_alert AS
SELECT t.kind, t.topic, t.bin, t.trend, t.mentions, t.usual, t.rise, t.fall,
  'mentioned ' || CAST(CAST(t.mentions AS DECIMAL(18, 0)) AS STRING) || ' times, usually '
    || CAST(CAST(t.usual AS DECIMAL(18, 1)) AS STRING) || '; CUSUM '
    || CAST(GREATEST(t.rise, t.fall) AS STRING) || ', alarm from ${MARKET_ALERT_CUSUM:-4}'
    AS reason
FROM market_trend AS t
JOIN market_last_bin AS b ON t.bin = b.bin
WHERE t.trend <> 'steady';
