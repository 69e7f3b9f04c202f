-- Conversations that a person left for another one when web and WeChat were joined: their cases are found, and told of,
-- in the one that goes on.
CREATE TABLE conversation_joins (
    former_id TEXT PRIMARY KEY REFERENCES conversations (id),
    into_id TEXT NOT NULL REFERENCES conversations (id),
    joined_at BIGINT NOT NULL
);
CREATE INDEX conversation_joins_into ON conversation_joins (into_id);
