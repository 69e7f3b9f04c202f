-- WeChat: who writes from which account, what the platforms already delivered, how far 微信客服 was read, QR scenes.
CREATE TABLE wechat_users (
    channel TEXT NOT NULL CHECK (channel IN ('oa', 'work', 'kf')),
    account TEXT NOT NULL,
    openid TEXT NOT NULL,
    unionid TEXT,
    visitor_id TEXT NOT NULL REFERENCES visitors (id),
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    -- The sending window of the platform opens here; what was sent since is counted against its allowance.
    last_inbound_at BIGINT,
    sent_since_inbound BIGINT NOT NULL,
    subscribed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (channel, account, openid)
);
CREATE INDEX wechat_users_conversation ON wechat_users (conversation_id);
CREATE INDEX wechat_users_visitor ON wechat_users (visitor_id);
CREATE INDEX wechat_users_unionid ON wechat_users (unionid) WHERE unionid IS NOT NULL;

-- Platform messages and events, so that a repeat changes nothing and gets the first answer. The key is a hash.
CREATE TABLE wechat_received (
    key TEXT PRIMARY KEY,
    channel TEXT NOT NULL CHECK (channel IN ('oa', 'work', 'kf')),
    account TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done')),
    -- What is still to be done for it, JSON; nothing when its answer needs no work that a restart must take up.
    payload TEXT,
    reply TEXT,
    received_at BIGINT NOT NULL
);
CREATE INDEX wechat_received_at ON wechat_received (received_at);

-- How far the messages of a 微信客服 account were read.
CREATE TABLE wechat_cursors (
    account TEXT NOT NULL,
    open_kfid TEXT NOT NULL,
    cursor TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account, open_kfid)
);

-- QR scenes that join a conversation on the web with the WeChat user who scans.
CREATE TABLE wechat_scenes (
    scene TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    joined_at BIGINT
);
CREATE INDEX wechat_scenes_conversation ON wechat_scenes (conversation_id);
