-- Segments that somebody builds out of tags, without SQL: `PUT /v1/segments/{id}` writes here.

-- A segment as it was saved: the newest row of a segment_id is what holds. A customer is a member
-- who has every tag that is asked for, with one of its values, and none of those that are excluded.
CREATE TABLE segment_change (
  event_id STRING NOT NULL,
  segment_id STRING NOT NULL,
  is_active BOOLEAN NOT NULL COMMENT 'false: the segment was deleted',
  title STRING,
  conditions ARRAY<ROW<
    `no` INT, tag_code STRING, tag_values ARRAY<STRING>, is_excluded BOOLEAN>>
    COMMENT 'the value * is any',
  actor STRING,
  changed_at TIMESTAMP_LTZ(3) NOT NULL
) WITH (
  'connector' = 'http', 'path' = '${CUSTOMERS_SEGMENTS_LOG:-.rialto/log/segment_change}',
  'scan.bounded.mode' = '${CUSTOMERS_SEGMENTS_BOUND:-unbounded}'
);

-- Key: segment_id.
CREATE MATERIALIZED VIEW segment_built AS
SELECT segment_id, title, conditions, actor, changed_at
FROM (
  SELECT *, ROW_NUMBER() OVER (
    -- As one text: Flink keeps the newest row by one column alone rightly.
    PARTITION BY segment_id
    ORDER BY CAST(CAST(changed_at AS TIMESTAMP(3)) AS STRING) || '/' || event_id DESC) AS place
  FROM segment_change)
WHERE place = 1 AND is_active;

-- One row for each value that a condition takes.
CREATE MATERIALIZED VIEW segment_condition AS
SELECT s.segment_id, c.`no`, c.tag_code, v.tag_value, c.is_excluded
FROM segment_built AS s
CROSS JOIN UNNEST(s.conditions) AS c (`no`, tag_code, tag_values, is_excluded)
CROSS JOIN UNNEST(c.tag_values) AS v (tag_value);

-- Who fits. It reads materialized views alone, so that `POST /v1/segments/count` can ask it for
-- conditions that nobody has saved.
CREATE VIEW segment_fit AS
SELECT h.segment_id, h.customer_id, h.entered_at,
  CAST(h.met AS STRING) || ' conditions are met' AS why
FROM (
  SELECT c.segment_id, t.customer_id, MAX(t.computed_at) AS entered_at,
    COUNT(DISTINCT CASE WHEN NOT c.is_excluded THEN c.`no` END) AS met,
    SUM(CASE WHEN c.is_excluded THEN 1 ELSE 0 END) AS excluded
  FROM segment_condition AS c
  JOIN customer_tag AS t
    ON c.tag_code = t.tag_code AND (c.tag_value = '*' OR c.tag_value = t.tag_value)
  GROUP BY c.segment_id, t.customer_id) AS h
JOIN (
  SELECT segment_id, COUNT(DISTINCT CASE WHEN NOT is_excluded THEN `no` END) AS needed
  FROM segment_condition GROUP BY segment_id) AS n
ON h.segment_id = n.segment_id AND h.met = n.needed
WHERE h.excluded = 0 AND h.met > 0;

-- Key: (segment_id, customer_id). As in segment_member, a row that appears has entered.
CREATE MATERIALIZED VIEW segment_built_member AS SELECT * FROM segment_fit;
