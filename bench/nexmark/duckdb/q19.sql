-- q19: the ten highest bids of each auction. Of two of one price either may come first.
SELECT auction, price, place
FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bid)
WHERE place <= 10;

SELECT auction, price, place FROM answer;

SELECT * EXCLUDE (place) FROM answer EXCEPT ALL
SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid
