-- Every list is walked along an index of its own, also when nearly nothing of it is shown.
-- What a unit leads: all of it, by state and by type; those of its open cases that nobody handles yet.
CREATE INDEX cases_led ON cases (lead_unit, sort_due, id) WHERE lead_unit IS NOT NULL;
CREATE INDEX cases_led_status ON cases (lead_unit, status, sort_due, id) WHERE lead_unit IS NOT NULL;
CREATE INDEX cases_led_type ON cases (lead_unit, case_type, sort_due, id) WHERE lead_unit IS NOT NULL;
CREATE INDEX cases_unhandled ON cases (lead_unit, status, sort_due, id) WHERE open AND handler IS NULL;
-- A type within a state, for the centre; what only 纪检作风 sees.
CREATE INDEX cases_status_type ON cases (status, case_type, sort_due, id);
CREATE INDEX cases_sealed ON cases (sort_due, id) WHERE sealed;
-- Numbers are counted along the lists now.
DROP INDEX cases_open;
