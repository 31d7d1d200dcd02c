-- q6: average selling price by seller over the last ten closed auctions.
WITH closed AS (
  SELECT auction.id, auction.seller, auction.expires, max(bid.price) AS closing
  FROM auction
  JOIN bid ON bid.auction = auction.id
  WHERE bid.dateTime >= auction.dateTime AND bid.dateTime <= auction.expires
  GROUP BY ALL
), last_ten AS (
  SELECT seller, closing FROM closed
  QUALIFY row_number() OVER (PARTITION BY seller ORDER BY expires DESC, id DESC) <= 10
)
SELECT seller, sum(closing) // count(*) FROM last_ten GROUP BY seller
