-- Finished cases of a topic, the newest first: what an officer is shown beside a case like them.
CREATE INDEX cases_topic ON cases (topic, open, sort_due, id) WHERE topic IS NOT NULL;
