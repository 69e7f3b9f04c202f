-- OAuth of 公众号: who began it in which browser, and what came of it. Secrets are kept as hashes.
CREATE TABLE wechat_oauth (
    state_hash TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    -- The cookie of the browser that began.
    browser_hash TEXT NOT NULL,
    -- The conversation that browser had then.
    conversation_id TEXT REFERENCES conversations (id),
    page TEXT NOT NULL CHECK (page IN ('chat', 'track')),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The one code that may use the state, since when somebody exchanges it, and the conversation that came of it.
    code_hash TEXT,
    claimed_at BIGINT,
    joined_id TEXT REFERENCES conversations (id)
);
CREATE INDEX wechat_oauth_conversation ON wechat_oauth (conversation_id);
CREATE INDEX wechat_oauth_joined ON wechat_oauth (joined_id);
CREATE INDEX wechat_oauth_expires ON wechat_oauth (expires_at);

-- Further tokens that open a conversation: of browsers that WeChat has vouched for.
CREATE TABLE visitor_tokens (
    token_hash TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX visitor_tokens_conversation ON visitor_tokens (conversation_id);
