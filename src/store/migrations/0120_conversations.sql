-- Conversations and their messages. seq counts from 1 without gaps within a conversation; version is compared and set
-- by every writer; fence grows whenever the owner changes, so that a late answer of the former owner is refused.
CREATE TABLE visitors (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    user_id TEXT,
    name TEXT,
    locale TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    visitor_id TEXT NOT NULL REFERENCES visitors (id),
    channel TEXT NOT NULL,
    external_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('bot', 'collecting', 'queued', 'human', 'closed')),
    officer_id TEXT REFERENCES officers (id),
    unit TEXT,
    fence BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    version BIGINT NOT NULL,
    dialogue TEXT NOT NULL,
    flags TEXT NOT NULL,
    topic TEXT,
    handoff_reason TEXT,
    handoff_note TEXT,
    last_text TEXT NOT NULL,
    queued_at BIGINT,
    claimed_at BIGINT,
    visitor_at BIGINT,
    changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at BIGINT
);
CREATE UNIQUE INDEX conversations_external ON conversations (channel, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX conversations_visitor ON conversations (visitor_id);
CREATE INDEX conversations_waiting ON conversations (queued_at) WHERE state IN ('queued', 'human');
CREATE INDEX conversations_officer ON conversations (officer_id) WHERE officer_id IS NOT NULL;

CREATE TABLE messages (
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    client_id TEXT,
    reply_to BIGINT,
    sender TEXT NOT NULL CHECK (sender IN ('visitor', 'bot', 'officer', 'system')),
    kind TEXT NOT NULL CHECK (kind IN ('text', 'image', 'file', 'card', 'form', 'event')),
    text TEXT NOT NULL,
    body TEXT,
    officer_id TEXT,
    rule_id TEXT,
    decision TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, seq)
);
CREATE UNIQUE INDEX messages_client ON messages (conversation_id, client_id) WHERE client_id IS NOT NULL;

-- Internal notes are a table of their own: no query for the enterprise can return one.
CREATE TABLE conversation_notes (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    officer_id TEXT NOT NULL REFERENCES officers (id),
    text TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX conversation_notes_of ON conversation_notes (conversation_id, at);

CREATE TABLE attachments (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    name TEXT NOT NULL,
    mime TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    file TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX attachments_conversation ON attachments (conversation_id);

CREATE TABLE answer_feedback (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    seq BIGINT,
    rule_id TEXT,
    helpful BOOLEAN NOT NULL,
    words TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Questions no rule answered, personal data masked.
CREATE TABLE unanswered (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    text TEXT NOT NULL,
    topic TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX unanswered_at ON unanswered (at);
