-- What the upkeep of conversations walks along: those that are not closed, by age. created_at never changes, so a
-- message costs this index next to nothing. The other two spare a look through the whole table when a conversation goes.
CREATE INDEX conversations_open ON conversations (created_at) WHERE state <> 'closed';
CREATE INDEX answer_feedback_conversation ON answer_feedback (conversation_id);
CREATE INDEX unanswered_conversation ON unanswered (conversation_id);
