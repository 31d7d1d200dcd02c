-- q5: hot items: the auctions with most bids in the last ten seconds, every two seconds.

CREATE TABLE nexmark_q5 (
  auction BIGINT,
  num BIGINT
) WITH (${SINK});

INSERT INTO nexmark_q5
SELECT counts.auction, counts.num
FROM (
  SELECT auction, COUNT(*) AS num, window_start, window_end
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end
) AS counts
JOIN (
  SELECT MAX(num) AS top, window_start, window_end
  FROM (
    SELECT COUNT(*) AS num, window_start, window_end
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
  ) AS n
  GROUP BY window_start, window_end
) AS tops
ON counts.window_start = tops.window_start AND counts.window_end = tops.window_end
  AND counts.num >= tops.top;
