-- Messages on their way to WeChat are entries of the outbox whose key is conversation and seq. Those of one conversation
-- go out in order, piece by piece (progress), and wait while the platform does not let the account write (held).
ALTER TABLE outbox ADD COLUMN progress BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN held TEXT CHECK (held IN ('window', 'allowance', 'session'));
-- The user's last message when it was held: a later one lets it go.
ALTER TABLE outbox ADD COLUMN held_after BIGINT;
CREATE INDEX outbox_wechat ON outbox (substr(key, 1, 36)) WHERE target = 'wechat';
