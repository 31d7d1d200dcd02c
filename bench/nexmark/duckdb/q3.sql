-- q3: local item suggestion.
SELECT person.name, person.city, person.state, auction.id
FROM person
JOIN auction ON person.id = auction.seller
WHERE auction.category = 10 AND person.state IN ('CA', 'ID', 'OR')
