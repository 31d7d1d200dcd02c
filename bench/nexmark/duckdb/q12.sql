-- q12: processing time windows. In which window a bid falls depends on when it is read: what is
-- compared is that each bid is counted once, and that windows are ten seconds long.
SELECT bidder, count(*) FROM bid GROUP BY bidder;

SELECT bidder, sum(bid_count)::BIGINT FROM answer GROUP BY bidder;

SELECT * FROM answer
WHERE starttime <> time_bucket(INTERVAL 10 SECONDS, starttime)
  OR endtime <> starttime + INTERVAL 10 SECONDS OR bid_count <= 0
