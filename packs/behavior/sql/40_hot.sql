-- What is hot? The products, and the categories, of each sliding window with the highest score: a
-- look counts 1, a cart 3, a purchase 5. Of two with the same score the lower code comes first.
-- Every BEHAVIOR_HOT_SLIDE_MINUTES a window ends. Windows that are not over are there as well, as
-- far as they have come: `window_end` says which is which.

CREATE VIEW behavior_window_step AS
SELECT window_start, window_end, product_id, category_id,
  CASE WHEN step = 'view' THEN 1 ELSE 0 END AS viewed,
  CASE WHEN step = 'cart' THEN 1 ELSE 0 END AS carted,
  CASE WHEN step = 'purchase' AND amount > 0 THEN 1 ELSE 0 END AS bought
FROM TABLE(HOP(TABLE behavior_step, DESCRIPTOR(event_time),
  INTERVAL '${BEHAVIOR_HOT_SLIDE_MINUTES:-5}' MINUTE,
  INTERVAL '${BEHAVIOR_HOT_MINUTES:-60}' MINUTE))
WHERE step IN ('view', 'cart', 'purchase');

CREATE MATERIALIZED VIEW behavior_hot_products AS
SELECT window_start, window_end, place, product_id, views, carts, purchases, score
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY window_start, window_end ORDER BY score DESC, product_id) AS place
  FROM (
    SELECT window_start, window_end, product_id,
      SUM(viewed) AS views, SUM(carted) AS carts, SUM(bought) AS purchases,
      SUM(viewed * ${BEHAVIOR_VIEW_WEIGHT:-1} + carted * ${BEHAVIOR_CART_WEIGHT:-3}
        + bought * ${BEHAVIOR_PURCHASE_WEIGHT:-5}) AS score
    FROM behavior_window_step
    WHERE product_id IS NOT NULL
    GROUP BY window_start, window_end, product_id))
WHERE place <= ${BEHAVIOR_TOP:-10};

CREATE MATERIALIZED VIEW behavior_hot_categories AS
SELECT window_start, window_end, place, category_id, views, carts, purchases, score
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY window_start, window_end ORDER BY score DESC, category_id) AS place
  FROM (
    SELECT window_start, window_end, category_id,
      SUM(viewed) AS views, SUM(carted) AS carts, SUM(bought) AS purchases,
      SUM(viewed * ${BEHAVIOR_VIEW_WEIGHT:-1} + carted * ${BEHAVIOR_CART_WEIGHT:-3}
        + bought * ${BEHAVIOR_PURCHASE_WEIGHT:-5}) AS score
    FROM behavior_window_step
    WHERE category_id IS NOT NULL
    GROUP BY window_start, window_end, category_id))
WHERE place <= ${BEHAVIOR_TOP:-10};
