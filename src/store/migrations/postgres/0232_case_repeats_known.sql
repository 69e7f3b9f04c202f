-- Not shared: each database reads JSON in its own way.
UPDATE cases SET repeat_of = CAST(detail AS json) -> 'overlay' ->> 'repeat_of' WHERE detail LIKE '%"repeat_of":"%';
