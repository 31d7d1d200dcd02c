-- q11: user sessions. A gap of just ten seconds does not end a session.
WITH steps AS (
  SELECT bidder, dateTime,
    dateTime - lag(dateTime) OVER (PARTITION BY bidder ORDER BY dateTime)
      <= INTERVAL 10 SECONDS AS goes_on
  FROM bid
), numbered AS (
  SELECT bidder, dateTime,
    count(*) FILTER (goes_on IS NOT TRUE)
      OVER (PARTITION BY bidder ORDER BY dateTime ROWS UNBOUNDED PRECEDING) AS number
  FROM steps
)
SELECT bidder, count(*), min(dateTime), max(dateTime) + INTERVAL 10 SECONDS
FROM numbered
GROUP BY bidder, number
