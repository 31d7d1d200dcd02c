-- q9: winning bids. Of two bids of one price and time either may win, so that price and time are
-- compared, and that the bid is one of those.
WITH best AS (
  SELECT auction, price, dateTime FROM (
    SELECT bid.*
    FROM auction JOIN bid ON bid.auction = auction.id
    WHERE bid.dateTime >= auction.dateTime AND bid.dateTime <= auction.expires
  )
  QUALIFY row_number() OVER (PARTITION BY auction ORDER BY price DESC, dateTime) = 1
)
SELECT auction.*, best.auction, best.price, best.dateTime
FROM auction JOIN best ON best.auction = auction.id;

SELECT * EXCLUDE (bidder, bid_extra) FROM answer;

SELECT auction, bidder, price, bid_dateTime, bid_extra FROM answer
EXCEPT ALL
SELECT auction, bidder, price, dateTime, extra FROM bid
