-- The till roll of a web shop: one CSV file a day, one line an article on an invoice.
--
-- Online Retail data set, UCI (Chen, Sain and Guo 2012, CC BY 4.0): a British wholesaler of gifts,
-- 2010-12-01 to 2011-12-09. The files are read as they are; nothing is cleaned beforehand.

CREATE TABLE sales (
  InvoiceNo STRING,            -- six digits; `C` before them: a cancellation; `A`: a correction
  StockCode STRING,            -- the article; also POST (postage), M (manual), D (discount), ...
  Description STRING,
  Quantity INT,                -- below zero where goods come back or stock is corrected
  InvoiceDate TIMESTAMP(3),    -- to the minute, local time of the shop
  UnitPrice DECIMAL(12, 3),    -- pounds; exact, and some prices do have three digits
  CustomerID STRING,           -- as the files have it: `17850.0`, or nothing
  Country STRING,
  file STRING METADATA FROM 'file.name',
  -- Invoices come in the order of their time. A line may be a minute behind and still counts in
  -- its hour; one that is later still is counted as late and leaves the hour as it was.
  WATERMARK FOR InvoiceDate AS InvoiceDate - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'filesystem',
  'path' = '${DATA}',
  'format' = 'csv',
  'csv.header' = 'true',
  'rialto.replay.speed' = '${SPEED:-max}'
);

-- The same lines in the words of the trade. Everything below reads this view.
--
-- line_total   quantity times price, exact to the tenth of a penny; negative for what comes back.
-- customer_id  `17850` in place of `17850.0`; NULL where the shop did not know the customer.
-- kind         sale        goods for money
--              return      a line of a cancellation (`C...`)
--              adjustment  everything else: corrections of stock (no price, or a negative quantity
--                          without a cancellation) and of the books (`A...`)
CREATE VIEW sale_lines AS
SELECT
  InvoiceNo AS invoice,
  StockCode AS sku,
  Description AS description,
  Quantity AS quantity,
  UnitPrice AS unit_price,
  Quantity * UnitPrice AS line_total,
  InvoiceDate AS sold_at,
  CAST(InvoiceDate AS DATE) AS sale_day,
  CASE WHEN CustomerID <> '' THEN SPLIT_INDEX(CustomerID, '.', 0) END AS customer_id,
  Country AS country,
  CASE
    WHEN InvoiceNo LIKE 'C%' THEN 'return'
    WHEN InvoiceNo LIKE 'A%' OR Quantity <= 0 OR UnitPrice <= 0 THEN 'adjustment'
    ELSE 'sale'
  END AS kind,
  file
FROM sales;
