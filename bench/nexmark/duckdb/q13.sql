-- q13: bounded side input.
SELECT bid.auction, bid.bidder, bid.price, bid.dateTime, side_input.value
FROM bid JOIN side_input ON side_input.key = bid.auction % 10000
