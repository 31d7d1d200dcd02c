-- The five articles of each hour of which most pieces were sold.
--
-- Articles have codes that begin with five digits; postage, fees, samples and the like are left
-- out. Of two with as many pieces the one with more turnover comes first, then the lower code, so
-- that the list is the same every time. An article may have had several descriptions: the last in
-- the alphabet stands for it.
--
-- An hour is there with its first sale, and final when the watermark has passed its end.
CREATE VIEW goods_sold AS
SELECT sku, description, quantity, line_total, sold_at
FROM sale_lines
WHERE kind = 'sale' AND REGEXP(sku, '^[0-9]{5}');

CREATE MATERIALIZED VIEW hot_products AS
SELECT window_start AS `hour`, place, sku, description, pieces, turnover
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY window_start, window_end
    ORDER BY pieces DESC, turnover DESC, sku
  ) AS place
  FROM (
    SELECT window_start, window_end, sku, MAX(description) AS description,
      SUM(quantity) AS pieces, SUM(line_total) AS turnover
    FROM TABLE(TUMBLE(TABLE goods_sold, DESCRIPTOR(sold_at), INTERVAL '1' HOUR))
    GROUP BY window_start, window_end, sku
  ) AS hours
) AS ranked
WHERE place <= 5;
