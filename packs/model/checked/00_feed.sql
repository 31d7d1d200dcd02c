-- Rows that are checked before any view sees them. `feed.T` is the table as its sender fills it (a
-- project declares it), the view `T` has the rows that keep the rules of the model, the view
-- `dirty_T` the others, each with the first rule that it breaks.
--
-- A planner believes NOT NULL and drops `x IS NULL`, but formats leave a member that is not there
-- NULL all the same. NULLIF makes it ask; an empty text counts as missing too. A row without
-- `event_time` never comes here: it is a dead letter of its table.
CREATE DATABASE IF NOT EXISTS feed;
