-- q1: currency conversion.
SELECT auction, bidder, 0.908::DECIMAL(4, 3) * price, dateTime, extra FROM bid
