-- The language model: questions that wait for it, every exchange with it (personal data replaced before it is written),
-- and the switch that stops it.
CREATE TABLE model_tasks (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'classify')),
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    -- Names the question within the conversation: an answer under another ticket comes too late and is dropped.
    ticket BIGINT NOT NULL,
    question TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done')),
    outcome TEXT,
    tries BIGINT NOT NULL,
    lease_until BIGINT,
    created_at BIGINT NOT NULL,
    done_at BIGINT
);
CREATE UNIQUE INDEX model_tasks_ticket ON model_tasks (conversation_id, kind, ticket);
CREATE INDEX model_tasks_open ON model_tasks (created_at) WHERE state <> 'done';
CREATE INDEX model_tasks_done ON model_tasks (done_at) WHERE state = 'done';

-- A row is written before the question leaves, with what it may cost at most; the answer replaces the estimate. So
-- budgets hold across restarts and gateways, and a process that dies in between has still counted.
CREATE TABLE model_exchanges (
    id TEXT PRIMARY KEY,
    task TEXT NOT NULL CHECK (task IN ('answer', 'classify', 'title', 'draft', 'summary', 'rewrite', 'probe')),
    prompt_id TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,
    reply TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('running', 'answered', 'failed')),
    failure TEXT,
    detail TEXT,
    verdict TEXT CHECK (verdict IN ('used', 'refused', 'dropped')),
    -- JSON list: what the checks found.
    reasons TEXT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    estimated BOOLEAN NOT NULL,
    cost_micro_yuan BIGINT NOT NULL,
    first_ms BIGINT,
    total_ms BIGINT,
    conversation_id TEXT,
    case_id TEXT,
    officer_id TEXT,
    at BIGINT NOT NULL
);
-- What a day, a month and a user have spent is answered from the indexes alone.
CREATE INDEX model_exchanges_at ON model_exchanges (at, prompt_tokens, completion_tokens, cost_micro_yuan);
CREATE INDEX model_exchanges_conversation ON model_exchanges (conversation_id, at) WHERE conversation_id IS NOT NULL;
CREATE INDEX model_exchanges_case ON model_exchanges (case_id, at) WHERE case_id IS NOT NULL;
CREATE INDEX model_exchanges_officer ON model_exchanges (officer_id, at) WHERE officer_id IS NOT NULL;

CREATE TABLE model_switch (
    id TEXT PRIMARY KEY CHECK (id = 'model'),
    stopped BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    officer_id TEXT,
    changed_at BIGINT NOT NULL
);
INSERT INTO model_switch (id, stopped, reason, officer_id, changed_at) VALUES ('model', FALSE, '', NULL, 0);
