-- The figures of every channel, as they stand now.
CREATE MATERIALIZED VIEW channels AS
SELECT channel, net_sales, orders,
  CAST(gross_sales / NULLIF(orders, 0) AS DECIMAL(12, 2)) AS basket_value,
  customers
FROM (
  SELECT channel,
    SUM(line_total) AS net_sales,
    COUNT(DISTINCT CASE WHEN kind = 'sale' THEN invoice END) AS orders,
    SUM(CASE WHEN kind = 'sale' THEN line_total ELSE 0 END) AS gross_sales,
    COUNT(DISTINCT customer_id) AS customers
  FROM sale_lines
  GROUP BY channel
) AS totals;

-- The same by ten minutes of the shop's time.
CREATE MATERIALIZED VIEW sales_by_10_minutes AS
SELECT window_start, channel, SUM(line_total) AS net_sales, COUNT(DISTINCT invoice) AS orders,
  SUM(quantity) AS pieces
FROM TABLE(TUMBLE(TABLE sale_lines, DESCRIPTOR(sold_at), INTERVAL '10' MINUTE))
GROUP BY window_start, window_end, channel;

-- The ten articles with the highest turnover so far.
CREATE MATERIALIZED VIEW top_products AS
SELECT t.place, a.description, t.pieces, t.turnover
FROM (
  SELECT place, article, pieces, turnover
  FROM (
    SELECT article, pieces, turnover,
      ROW_NUMBER() OVER (ORDER BY turnover DESC, article) AS place
    FROM (
      SELECT article, SUM(quantity) AS pieces, SUM(line_total) AS turnover
      FROM sale_lines
      GROUP BY article
    ) AS totals
  ) AS ranked
  WHERE place <= 10
) AS t
JOIN articles AS a ON a.article = t.article;

-- What came back, by channel.
CREATE MATERIALIZED VIEW returns AS
SELECT channel, COUNT(*) AS lines, -SUM(quantity) AS pieces, -SUM(line_total) AS amount
FROM sale_lines
WHERE kind = 'return'
GROUP BY channel;
