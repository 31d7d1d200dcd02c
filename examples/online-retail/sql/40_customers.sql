-- RFM: how recently, how often and for how much did each known customer buy?
--
-- recency_days  days from the last purchase to the last day of the data (as far as it has come)
-- frequency     orders
-- monetary      what they were worth, returns not taken off
--
-- Only lines of kind `sale` whose customer is known count: 4,338 customers at the end.

-- The last day on which anything was sold: what "today" is for a file from 2011. Live, this moves
-- on by itself, and with it everybody's recency.
CREATE MATERIALIZED VIEW last_day AS
SELECT MAX(sale_day) AS today FROM sale_lines;

CREATE MATERIALIZED VIEW customer_rfm AS
SELECT customer_id, recency_days, frequency, monetary,
  -- The thresholds are round numbers that an owner of the shop would name; change them here.
  CASE
    WHEN recency_days <= 30 AND frequency >= 10 AND monetary >= 2000 THEN 'champion'
    WHEN recency_days <= 90 AND frequency >= 5 THEN 'loyal'
    WHEN recency_days <= 30 AND frequency = 1 THEN 'new'
    WHEN recency_days > 90 AND (frequency >= 5 OR monetary >= 2000) THEN 'at_risk'
    WHEN recency_days > 180 THEN 'lost'
    ELSE 'regular'
  END AS tag
FROM (
  SELECT c.customer_id, TIMESTAMPDIFF(DAY, c.last_purchase, d.today) AS recency_days,
    c.frequency, c.monetary
  FROM (
    SELECT customer_id, MAX(sale_day) AS last_purchase, COUNT(DISTINCT invoice) AS frequency,
      SUM(line_total) AS monetary
    FROM sale_lines
    WHERE kind = 'sale' AND customer_id IS NOT NULL
    GROUP BY customer_id
  ) AS c
  CROSS JOIN last_day AS d
) AS rfm;

-- How many customers carry each tag, and what they have brought.
CREATE MATERIALIZED VIEW customer_tags AS
SELECT tag, COUNT(*) AS customers, SUM(monetary) AS monetary
FROM customer_rfm
GROUP BY tag;
