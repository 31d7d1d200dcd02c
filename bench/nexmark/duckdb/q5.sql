-- q5: hot items. A bid belongs to the five windows of ten seconds that began in the last ten
-- seconds at an even second.
WITH counts AS (
  SELECT auction, time_bucket(INTERVAL 2 SECONDS, dateTime) - to_seconds(2 * back) AS opened,
    count(*) AS num
  FROM bid, range(5) AS windows(back)
  GROUP BY ALL
)
SELECT auction, num FROM counts QUALIFY rank() OVER (PARTITION BY opened ORDER BY num DESC) = 1
