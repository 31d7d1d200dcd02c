-- q8: new users: who registered and opened an auction in the same ten seconds.
WITH people AS (
  SELECT DISTINCT id, name, time_bucket(INTERVAL 10 SECONDS, dateTime) AS opened FROM person
), sellers AS (
  SELECT DISTINCT seller, time_bucket(INTERVAL 10 SECONDS, dateTime) AS opened FROM auction
)
SELECT people.id, people.name, people.opened
FROM people JOIN sellers ON sellers.seller = people.id AND sellers.opened = people.opened
