-- The numbers on the tabs: open cases by state, without reading the cases themselves.
CREATE INDEX cases_open ON cases (status, sealed, id) WHERE open;
