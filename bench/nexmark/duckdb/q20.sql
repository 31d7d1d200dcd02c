-- q20: bids with their auction, for category 10.
SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, bid.dateTime, bid.extra,
  auction.* EXCLUDE (id)
FROM bid JOIN auction ON auction.id = bid.auction
WHERE auction.category = 10
