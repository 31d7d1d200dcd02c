-- Decisions that somebody has applied come back by a log of the project: none at first.
CREATE TABLE decision WITH ('connector' = 'log') LIKE model.decision;
