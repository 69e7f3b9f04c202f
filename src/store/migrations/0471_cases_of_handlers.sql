-- The cases of one officer, by remaining time: without it their list walks over all open cases.
CREATE INDEX cases_handler ON cases (handler, sort_due, id) WHERE handler IS NOT NULL;
