-- q14: calculation.
WITH priced AS (
  SELECT auction, bidder, 0.908::DECIMAL(4, 3) * price AS euro, hour(dateTime) AS hour, dateTime,
    extra
  FROM bid
)
SELECT auction, bidder, euro,
  CASE
    WHEN hour >= 8 AND hour <= 18 THEN 'dayTime'
    WHEN hour < 7 OR hour > 19 THEN 'nightTime'
    ELSE 'otherTime'
  END,
  dateTime, extra, len(regexp_replace(extra, '[^c]', '', 'g'))::INT
FROM priced
WHERE euro > 1000000 AND euro < 50000000
