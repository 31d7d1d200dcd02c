-- Key: customer_id. What a member has, and where it came from and went to.
CREATE MATERIALIZED VIEW loyalty_balance AS
SELECT customer_id,
  SUM(CASE WHEN account = 'pending' THEN points ELSE 0 END) AS pending,
  SUM(CASE WHEN account = 'active' THEN points ELSE 0 END) AS active,
  SUM(CASE WHEN account = 'locked' THEN points ELSE 0 END) AS locked,
  SUM(CASE WHEN account = 'issued' THEN -points ELSE 0 END) AS earned,
  SUM(CASE WHEN account = 'redeemed' THEN points ELSE 0 END) AS redeemed,
  SUM(CASE WHEN account = 'expired' THEN points ELSE 0 END) AS expired,
  SUM(CASE WHEN account = 'reversed' THEN points ELSE 0 END) AS reversed
FROM loyalty_posting
GROUP BY customer_id;

-- Key: account. All accounts of the shop; with the members' ones the points add up to zero.
CREATE MATERIALIZED VIEW loyalty_account AS
SELECT account, SUM(points) AS points, COUNT(*) AS postings
FROM loyalty_posting GROUP BY account;

-- Alert. Key: customer_id. More was spent or taken back than there was.
CREATE MATERIALIZED VIEW loyalty_overdrawn AS
SELECT customer_id, pending, active, locked FROM loyalty_balance
WHERE pending < 0 OR active < 0 OR locked < 0;

-- Key: customer_id. By the points earned lately, less what was taken back.
CREATE MATERIALIZED VIEW loyalty_tier AS
SELECT customer_id, qualifying,
  CASE WHEN qualifying >= ${LOYALTY_GOLD:-2000} THEN 'gold'
    WHEN qualifying >= ${LOYALTY_SILVER:-500} THEN 'silver' ELSE 'bronze' END AS tier,
  CASE WHEN qualifying >= ${LOYALTY_GOLD:-2000} THEN 3
    WHEN qualifying >= ${LOYALTY_SILVER:-500} THEN 2 ELSE 1 END AS tier_rank,
  CASE WHEN qualifying >= ${LOYALTY_GOLD:-2000} THEN 0
    WHEN qualifying >= ${LOYALTY_SILVER:-500} THEN ${LOYALTY_GOLD:-2000} - qualifying
    ELSE ${LOYALTY_SILVER:-500} - qualifying END AS missing_points
FROM (
  SELECT p.customer_id, SUM(-p.points) AS qualifying
  FROM loyalty_posting AS p CROSS JOIN loyalty_today AS t
  WHERE p.account IN ('issued', 'reversed')
    AND CAST(p.moved_at AS DATE) > t.today - INTERVAL '${LOYALTY_TIER_DAYS:-365}' DAY(3)
  GROUP BY p.customer_id) AS sums;

-- Key: (customer_id, reward_id). What a member can have now.
CREATE MATERIALIZED VIEW loyalty_reward_available AS
SELECT b.customer_id, r.reward_id, r.title, r.points, b.active - r.points AS points_left
FROM loyalty_balance AS b
JOIN loyalty_tier AS t ON t.customer_id = b.customer_id
JOIN loyalty_reward AS r ON r.points <= b.active AND r.min_tier_rank <= t.tier_rank;
