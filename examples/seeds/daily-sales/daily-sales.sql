-- Sales of each day: orders, pieces, turnover. Returns come as negative quantities.

CREATE TABLE sales (
  order_id BIGINT,
  product STRING,
  quantity INT,
  unit_price DECIMAL(10, 2),
  order_time TIMESTAMP(3)
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/seeds/daily-sales/input',
  'format' = 'json'
);

SELECT CAST(order_time AS DATE) AS `day`,
  COUNT(DISTINCT order_id) AS orders,
  SUM(quantity) AS pieces,
  SUM(quantity * unit_price) AS turnover,
  SUM(CASE WHEN quantity < 0 THEN -quantity * unit_price ELSE 0 END) AS returned
FROM sales
GROUP BY CAST(order_time AS DATE);
