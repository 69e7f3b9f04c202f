-- What an officer is to know: due soon, overdue, assigned, returned, an alarm. One row per officer and occasion.
CREATE TABLE notices (
    id TEXT PRIMARY KEY,
    officer_id TEXT NOT NULL REFERENCES officers (id),
    kind TEXT NOT NULL CHECK (kind IN ('alert', 'overdue', 'due_soon', 'assigned', 'to_sign', 'assist', 'returned',
        'supervised', 'news', 'push_failed')),
    text TEXT NOT NULL,
    case_number TEXT,
    conversation_id TEXT,
    -- names the occasion: told twice, it is one notice
    key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    read_at BIGINT
);
CREATE UNIQUE INDEX notices_key ON notices (officer_id, key);
CREATE INDEX notices_of ON notices (officer_id, created_at, id);
CREATE INDEX notices_unread ON notices (officer_id) WHERE read_at IS NULL;
CREATE INDEX notices_age ON notices (created_at);
