-- What leaves the process: written with the change it tells of, sent after the commit, at least once.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    event TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'sending', 'sent', 'dead')),
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    lease_until BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    done_at BIGINT
);
-- The same event is enqueued once for each target, however often the request is repeated.
CREATE UNIQUE INDEX outbox_key ON outbox (target, key);
CREATE INDEX outbox_due ON outbox (next_at) WHERE state IN ('ready', 'sending');
CREATE INDEX outbox_dead ON outbox (done_at) WHERE state = 'dead';

-- Commitments made in a conversation (“会有人联系您”): each has a day on which somebody must have kept it.
CREATE TABLE promises (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    case_number TEXT,
    officer_id TEXT REFERENCES officers (id),
    text TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'kept', 'dropped')),
    created_at BIGINT NOT NULL,
    done_at BIGINT,
    done_by TEXT
);
CREATE INDEX promises_open ON promises (due_at) WHERE state = 'open';
CREATE INDEX promises_conversation ON promises (conversation_id);
