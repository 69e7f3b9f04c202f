-- What the history of each case must end with, and how much history there is in all: a chain of hashes alone does not
-- tell that its end is missing, nor that a whole one is.
CREATE TABLE case_heads (
    case_id TEXT PRIMARY KEY REFERENCES cases (id),
    -- Number of the last event; the numbers have no gaps.
    events BIGINT NOT NULL,
    -- Its hash.
    head TEXT NOT NULL
);
INSERT INTO case_heads (case_id, events, head)
SELECT e.case_id, e.seq, e.hash FROM case_events e
WHERE e.seq = (SELECT MAX(l.seq) FROM case_events l WHERE l.case_id = e.case_id);

-- One row: cases with a history and events in all of them, written last in every transaction that adds some.
CREATE TABLE audit_total (
    n BIGINT PRIMARY KEY CHECK (n = 1),
    cases BIGINT NOT NULL,
    events BIGINT NOT NULL
);
INSERT INTO audit_total (n, cases, events)
SELECT 1, COUNT(*), CAST(COALESCE(SUM(events), 0) AS BIGINT) FROM case_heads;
