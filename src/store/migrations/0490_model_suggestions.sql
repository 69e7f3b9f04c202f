-- What a model suggested to an officer and what the officer made of it.
CREATE TABLE model_suggestions (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('reply', 'summary', 'title', 'rewrite', 'classify')),
    officer_id TEXT NOT NULL REFERENCES officers (id),
    conversation_id TEXT REFERENCES conversations (id),
    case_id TEXT REFERENCES cases (id),
    -- No foreign key: the journal of exchanges goes after a term of its own.
    exchange_id TEXT NOT NULL,
    -- As the officer sees it; empty once it is decided.
    shown TEXT NOT NULL,
    -- Personal data replaced.
    text TEXT NOT NULL,
    -- JSON list: id, title and references of the sources.
    sources TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('open', 'kept', 'edited', 'thrown_away')),
    -- What was made of it, personal data replaced.
    used_text TEXT,
    -- SHA-256 of what was used, hex.
    used_hash TEXT,
    -- Share of changed characters, 0 to 100.
    share BIGINT,
    created_at BIGINT NOT NULL,
    decided_at BIGINT
);
CREATE INDEX model_suggestions_at ON model_suggestions (created_at, id);
CREATE INDEX model_suggestions_conversation ON model_suggestions (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX model_suggestions_case ON model_suggestions (case_id) WHERE case_id IS NOT NULL;

-- Who stopped the model or let it run again, when and why. Rows are only added.
CREATE TABLE model_switch_log (
    id TEXT PRIMARY KEY,
    stopped BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    officer_id TEXT NOT NULL REFERENCES officers (id),
    at BIGINT NOT NULL
);
