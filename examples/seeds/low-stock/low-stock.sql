-- Which product is running out, where? The last count of each product and warehouse, if it is 10 or
-- less. A row leaves the result by itself when the shelf is filled again.

CREATE TABLE stock (
  product STRING,
  warehouse STRING,
  quantity INT,
  updated_at TIMESTAMP(3),
  WATERMARK FOR updated_at AS updated_at
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/seeds/low-stock/input',
  'format' = 'json'
);

CREATE VIEW current_stock AS
SELECT product, warehouse, quantity, updated_at
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY product, warehouse ORDER BY updated_at DESC) AS place
  FROM stock
) AS counts
WHERE place = 1;

SELECT product, warehouse, quantity, updated_at FROM current_stock WHERE quantity <= 10;
