-- What was decided, and what of it the simulated shop is to carry out.
CREATE TABLE decision WITH ('connector' = 'log') LIKE model.decision;
CREATE TABLE shop_inbox WITH ('connector' = 'log', 'path' = '.rialto/log/shop_inbox')
LIKE model.decision;
