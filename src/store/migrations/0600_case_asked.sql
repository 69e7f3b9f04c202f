-- What the centre is asked to decide about a case while a unit handles it: `extension`, `second_extension`, `pause`.
ALTER TABLE cases ADD COLUMN asked TEXT;
UPDATE cases SET asked = 'pause' WHERE labels LIKE '%暂停待审%';
UPDATE cases SET asked = 'extension' WHERE labels LIKE '%延期待审%';
CREATE INDEX cases_asked ON cases (asked, sort_due, id) WHERE asked IS NOT NULL;
