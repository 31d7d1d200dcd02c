-- q7: highest bid of each ten seconds. A bid at the very end of a window also belongs to it, as
-- the query has it, if its price is the window's highest.
WITH tops AS (
  SELECT time_bucket(INTERVAL 10 SECONDS, dateTime) AS opened, max(price) AS top
  FROM bid GROUP BY opened
)
SELECT bid.auction, bid.price, bid.bidder, bid.dateTime, bid.extra
FROM tops
JOIN bid ON bid.price = tops.top
WHERE bid.dateTime >= tops.opened AND bid.dateTime <= tops.opened + INTERVAL 10 SECONDS
