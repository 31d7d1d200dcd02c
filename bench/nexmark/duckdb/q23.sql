-- q23: bids of people who sell themselves, with the person and what is sold.
SELECT bid.bidder, bid.price, bid.channel, bid.url, bid.extra,
  person.* EXCLUDE (dateTime), auction.* EXCLUDE (id)
FROM bid
JOIN auction ON auction.seller = bid.bidder
JOIN person ON person.id = bid.bidder
