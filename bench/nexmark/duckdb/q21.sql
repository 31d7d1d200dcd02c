-- q21: channel ids.
WITH found AS (
  SELECT auction, bidder, price, channel,
    CASE
      WHEN lower(channel) = 'apple' THEN '0'
      WHEN lower(channel) = 'google' THEN '1'
      WHEN lower(channel) = 'facebook' THEN '2'
      WHEN lower(channel) = 'baidu' THEN '3'
      WHEN regexp_matches(url, '(&|^)channel_id=')
        THEN regexp_extract(url, '(&|^)channel_id=([^&]*)', 2)
    END AS channel_id
  FROM bid
)
SELECT * FROM found WHERE channel_id IS NOT NULL
