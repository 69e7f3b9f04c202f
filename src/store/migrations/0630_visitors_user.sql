-- What a person known to the embedding site has spent is summed over all of their conversations.
CREATE INDEX visitors_user ON visitors (user_id) WHERE user_id IS NOT NULL;
