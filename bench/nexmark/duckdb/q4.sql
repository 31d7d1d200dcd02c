-- q4: average closing price per category. Flink's average of whole numbers is a whole number.
WITH closed AS (
  SELECT auction.id, auction.category, max(bid.price) AS closing
  FROM auction
  JOIN bid ON bid.auction = auction.id
  WHERE bid.dateTime >= auction.dateTime AND bid.dateTime <= auction.expires
  GROUP BY ALL
)
SELECT category, sum(closing) // count(*) FROM closed GROUP BY category
