-- What bench/serving/run.py reads: a view with a row a store, while events come in.
CREATE TABLE sales (
  event_id STRING NOT NULL,
  store INT,
  qty INT,
  price DECIMAL(10, 2)
) WITH ('connector' = 'http', 'path' = '${LOG}');

CREATE MATERIALIZED VIEW revenue AS
SELECT store, COUNT(*) AS sold, SUM(qty * price) AS revenue FROM sales GROUP BY store;
