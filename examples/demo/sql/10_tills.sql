-- A simulated shop: nothing in here was ever sold.
--
-- The lines of its tills have the shape of the Online Retail data (../online-retail): few articles
-- sell much and many sell little, baskets have about twenty lines, most lines are of a few pieces
-- and some of dozens, one line in sixty is a return, and of every four customers one is unknown.
-- The generator makes random numbers; the views turn them into sales. The same seed makes the same
-- sales.

CREATE TABLE tills (
  line_no BIGINT,        -- 1, 2, 3, ...
  sku_roll DOUBLE,       -- which article
  quantity_roll DOUBLE,  -- how many
  kind_roll INT,         -- sale or return
  -- Ten lines a second of the shop's time. The demo runs faster than the shop.
  sold_at AS TIMESTAMPADD(SECOND, CAST(line_no / 10 AS INT), TIMESTAMP '2025-11-28 09:00:00.000'),
  WATERMARK FOR sold_at AS sold_at - INTERVAL '5' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '${RATE}',
  'rialto.seed' = '${SEED}',
  'fields.line_no.kind' = 'sequence',
  'fields.line_no.start' = '1',
  'fields.line_no.end' = '${ROWS}',
  'fields.sku_roll.min' = '0',
  'fields.sku_roll.max' = '1',
  'fields.quantity_roll.min' = '0',
  'fields.quantity_roll.max' = '1',
  'fields.kind_roll.min' = '1',
  'fields.kind_roll.max' = '1000'
);

-- A roll becomes an article and a quantity; powers make small numbers frequent and large ones rare.
CREATE VIEW rolled AS
SELECT
  sold_at,
  line_no / 19 AS basket,
  CAST(FLOOR(POWER(sku_roll, 2) * 24) AS INT) + 1 AS article,
  CASE WHEN kind_roll <= 16 THEN -1 ELSE 1 END
    * (CAST(FLOOR(POWER(quantity_roll, 5) * 36) AS INT) + 1) AS quantity,
  CASE WHEN kind_roll <= 16 THEN 'return' ELSE 'sale' END AS kind
FROM tills;

-- What a line of a till says. Customer and channel are one for the whole basket.
CREATE VIEW sale_lines AS
SELECT
  sold_at,
  536365 + basket AS invoice,
  article,
  quantity,
  -- from 0.45 to 7.35, in no order; exact to the penny
  quantity * CAST(MOD(article * 37, 70) * 0.10 + 0.45 AS DECIMAL(6, 2)) AS line_total,
  kind,
  CASE MOD(basket * 7919, 20)
    WHEN 0 THEN 'marketplace' WHEN 1 THEN 'marketplace'
    WHEN 2 THEN 'pos' WHEN 3 THEN 'pos' WHEN 4 THEN 'pos'
    WHEN 5 THEN 'app' WHEN 6 THEN 'app' WHEN 7 THEN 'app' WHEN 8 THEN 'app' WHEN 9 THEN 'app'
    ELSE 'web'
  END AS channel,
  CASE WHEN MOD(basket, 4) > 0 THEN 12346 + MOD(basket * 7919, 400) END AS customer_id
FROM rolled;

CREATE VIEW articles (article, description) AS
SELECT * FROM (VALUES
  (1, 'tea towel, robin'), (2, 'paper lantern'), (3, 'jam jar set'), (4, 'enamel mug'),
  (5, 'heart of straw'), (6, 'cake stand'), (7, 'string of lights'), (8, 'lunch box, fox'),
  (9, 'wooden robin'), (10, 'hot water bottle'), (11, 'candle, cedar'), (12, 'bird feeder'),
  (13, 'door mat'), (14, 'photo frame'), (15, 'glass bauble'), (16, 'garden gloves'),
  (17, 'milk pan'), (18, 'clock, station'), (19, 'wicker basket'), (20, 'doll house'),
  (21, 'umbrella, dots'), (22, 'tin of buttons'), (23, 'chalk board'), (24, 'storm lamp')
) AS names;
