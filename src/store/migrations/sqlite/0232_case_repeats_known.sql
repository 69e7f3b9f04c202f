-- Not shared: each database reads JSON in its own way.
UPDATE cases SET repeat_of = detail -> 'overlay' ->> 'repeat_of' WHERE detail LIKE '%"repeat_of":"%';
