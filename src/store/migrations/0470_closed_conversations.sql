-- What the list of closed conversations walks along. A message of an open one does not touch it.
CREATE INDEX conversations_closed ON conversations (changed_at DESC, id) WHERE state = 'closed';
