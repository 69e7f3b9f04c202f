-- A menu tap, a scan or a new subscription opens a window of its own (公众号: three messages within a minute), beside the
-- one that a message opens.
ALTER TABLE wechat_users ADD COLUMN tapped_at BIGINT;
ALTER TABLE wechat_users ADD COLUMN sent_since_tap BIGINT NOT NULL DEFAULT 0;
-- How often the platform took a message and then could not deliver it: each time it is sent under another name.
ALTER TABLE outbox ADD COLUMN bounces BIGINT NOT NULL DEFAULT 0;
-- The platform's number of a notice: it tells later by it whether the notice arrived.
ALTER TABLE outbox ADD COLUMN notice_id TEXT;
CREATE INDEX outbox_notice ON outbox (notice_id) WHERE notice_id IS NOT NULL;
-- Who scanned a code and was asked whether the conversations shall be joined.
ALTER TABLE wechat_scenes ADD COLUMN asked_openid TEXT;
