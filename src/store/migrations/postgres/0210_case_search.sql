-- Pairs of neighbouring characters of what `q` looks into, so that a two-character word finds its cases among a
-- million. Not shared: full-text indexes are each engine's own. Derived data: rows that are missing are made at start.
CREATE TABLE case_search (
    case_id TEXT PRIMARY KEY REFERENCES cases (id),
    digest BIGINT NOT NULL,
    grams TSVECTOR NOT NULL
);
CREATE INDEX case_search_grams ON case_search USING gin (grams);
