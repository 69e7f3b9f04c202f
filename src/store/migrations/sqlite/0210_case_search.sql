-- Pairs of neighbouring characters of what `q` looks into, so that a two-character word finds its cases among a
-- million. Not shared: full-text indexes are each engine's own. The rowid of the index is case_search.n, because only an
-- INTEGER PRIMARY KEY survives VACUUM. Derived data: rows that are missing are made at start.
CREATE TABLE case_search (
    n INTEGER PRIMARY KEY,
    case_id TEXT NOT NULL UNIQUE REFERENCES cases (id),
    digest BIGINT NOT NULL
);
CREATE VIRTUAL TABLE case_grams USING fts5 (grams, content = '', contentless_delete = 1, detail = none);
