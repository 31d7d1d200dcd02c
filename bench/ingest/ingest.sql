-- What bench/ingest/run.py sends events to: a table over HTTP, and a view over it that runs meanwhile.
CREATE TABLE sales (
  event_id STRING NOT NULL,
  ts TIMESTAMP(3),
  store INT,
  sku STRING,
  qty INT,
  price DECIMAL(10, 2)
) WITH ('connector' = 'http', 'path' = '${LOG}');

CREATE MATERIALIZED VIEW revenue AS
SELECT store, COUNT(*) AS sold, SUM(qty * price) AS revenue FROM sales GROUP BY store;
