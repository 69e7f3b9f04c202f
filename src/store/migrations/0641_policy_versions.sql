-- Policies (rules/sla) as they were whenever they were in force: a running case keeps the version it was accepted under.
CREATE TABLE policy_versions (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    path TEXT NOT NULL,
    body TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);
