-- What a purchase earns, by version: a sale earns by the version that is valid on its business
-- date, so that a new version changes nothing that was earned before.
-- Key: (rule_id, rule_version).
CREATE MATERIALIZED VIEW loyalty_earn_rule AS
SELECT * FROM (VALUES
  ('base', 1, DATE '2000-01-01', DATE '9999-12-31',
    CAST(${LOYALTY_POINTS_PER_UNIT:-1} AS DECIMAL(9, 4)))
) AS rules (rule_id, rule_version, valid_from, valid_to, points_per_unit);

-- Tiers by the points earned in the last ${LOYALTY_TIER_DAYS:-365} days. Key: tier.
CREATE MATERIALIZED VIEW loyalty_tier_rule AS
SELECT * FROM (VALUES
  ('bronze', 1, 0), ('silver', 2, ${LOYALTY_SILVER:-500}), ('gold', 3, ${LOYALTY_GOLD:-2000})
) AS tiers (tier, tier_rank, from_points);

-- What points buy. Key: reward_id.
CREATE MATERIALIZED VIEW loyalty_reward AS
SELECT * FROM (VALUES
  ('voucher_5', '5 off the next purchase', 500, 1),
  ('voucher_12', '12 off the next purchase', 1000, 2),
  ('free_shipping', 'a year without shipping costs', 1500, 3)
) AS rewards (reward_id, title, points, min_tier_rank);
