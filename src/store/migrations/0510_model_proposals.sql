-- What a model proposed for the form of a visitor, and what the visitor made of it; the values are in the journal only,
-- with personal data replaced.
CREATE TABLE model_proposals (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    ticket BIGINT NOT NULL,
    -- No foreign key: the journal of exchanges goes after a term of its own.
    exchange_id TEXT NOT NULL,
    item TEXT NOT NULL CHECK (item IN
        ('type', 'topic', 'urgency', 'enterprise', 'place', 'object', 'happened_on', 'amount')),
    outcome TEXT NOT NULL CHECK (outcome IN ('open', 'accepted', 'changed', 'refused', 'dropped')),
    created_at BIGINT NOT NULL,
    decided_at BIGINT
);
CREATE UNIQUE INDEX model_proposals_item ON model_proposals (conversation_id, ticket, item);
CREATE INDEX model_proposals_at ON model_proposals (created_at, id);
