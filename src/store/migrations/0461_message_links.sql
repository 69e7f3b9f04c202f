-- Addresses that show one message in full to whoever has them: for channels that cut long texts.
CREATE TABLE message_links (
    token TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (conversation_id, seq)
);
CREATE INDEX message_links_expires ON message_links (expires_at);
