-- q18: the last bid of each bidder on each auction. Of two at one time either may be the last.
SELECT auction, bidder, max(dateTime) FROM bid GROUP BY auction, bidder;

SELECT auction, bidder, dateTime FROM answer;

SELECT * FROM answer EXCEPT ALL
SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid
