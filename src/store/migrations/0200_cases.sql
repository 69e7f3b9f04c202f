-- Cases. `detail` holds the whole aggregate as JSON and is what is read back; the other columns and the tables below
-- are written in the same transaction so that lists, searches, sweeps and reports need not open it.
CREATE TABLE case_numbers (
    day TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    query_code TEXT NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('draft', 'submitted', 'need_info', 'not_accepted', 'accepted',
        'answered_on_spot', 'ownership_pending', 'pre_approval', 'dispatched', 'return_pending', 'signed', 'processing',
        'sign_off_pending', 'replied', 'awaiting_confirm', 'plan_tracking', 'recheck', 'rectifying', 'closing_review',
        'closed', 'archived', 'withdrawn', 'merged', 'transferred')),
    round BIGINT NOT NULL,
    case_type TEXT NOT NULL,
    topic TEXT,
    urgency TEXT NOT NULL,
    complexity TEXT,
    channel TEXT NOT NULL,
    region TEXT NOT NULL,
    title TEXT NOT NULL,
    enterprise TEXT NOT NULL,
    uscc TEXT,
    lead_unit TEXT,
    proposed_lead TEXT,
    handler TEXT,
    policy TEXT NOT NULL,
    sealed BOOLEAN NOT NULL,
    confidential BOOLEAN NOT NULL,
    open BOOLEAN NOT NULL,
    -- When the next one must have acted, and the clock it is of; sort_due puts open cases by that, then the rest.
    due_at BIGINT,
    due_clock TEXT,
    sort_due BIGINT NOT NULL,
    labels TEXT NOT NULL,
    conversation_id TEXT,
    parent TEXT,
    search TEXT NOT NULL,
    original_words TEXT NOT NULL,
    detail TEXT NOT NULL,
    submitted_at BIGINT NOT NULL,
    accepted_at BIGINT,
    dispatched_at BIGINT,
    closed_at BIGINT,
    entered_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX cases_sort ON cases (sort_due, id);
CREATE INDEX cases_status ON cases (status, sort_due, id);
CREATE INDEX cases_type ON cases (case_type, sort_due, id);
CREATE INDEX cases_code ON cases (query_code);
CREATE INDEX cases_conversation ON cases (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX cases_parent ON cases (parent) WHERE parent IS NOT NULL;
CREATE INDEX cases_uscc ON cases (uscc) WHERE uscc IS NOT NULL;
CREATE INDEX cases_enterprise ON cases (enterprise) WHERE enterprise <> '';
CREATE INDEX cases_submitted ON cases (submitted_at);
CREATE INDEX cases_closed ON cases (closed_at) WHERE closed_at IS NOT NULL;

-- Which units have what part in a case: row-level visibility looks here. sort_due is that of the case.
CREATE TABLE case_units (
    case_id TEXT NOT NULL REFERENCES cases (id),
    unit TEXT NOT NULL,
    part TEXT NOT NULL CHECK (part IN ('lead', 'assist', 'recused')),
    sort_due BIGINT NOT NULL,
    PRIMARY KEY (case_id, unit, part)
);
CREATE INDEX case_units_unit ON case_units (unit, part, sort_due, case_id);

-- The history: appended to, never changed. Each event carries the hash of the one before it.
CREATE TABLE case_events (
    case_id TEXT NOT NULL REFERENCES cases (id),
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('enterprise', 'proxy', 'officer', 'bot', 'timer')),
    actor_id TEXT,
    actor_name TEXT,
    actor_unit TEXT,
    from_status TEXT NOT NULL,
    to_status TEXT NOT NULL,
    facts TEXT NOT NULL,
    request_id TEXT,
    at BIGINT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (case_id, seq)
);
CREATE UNIQUE INDEX case_events_request ON case_events (case_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX case_events_kind ON case_events (kind, at);

CREATE TABLE case_tasks (
    id TEXT PRIMARY KEY,
    case_id TEXT NOT NULL REFERENCES cases (id),
    kind TEXT NOT NULL CHECK (kind IN ('assist', 'promise', 'milestone')),
    unit TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'answered', 'waived', 'done', 'missed', 'cancelled')),
    late BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT,
    ended_at BIGINT
);
CREATE INDEX case_tasks_case ON case_tasks (case_id);
CREATE INDEX case_tasks_open ON case_tasks (unit, due_at) WHERE state = 'open';

-- Ratings and closings are only added: the first one stays in the statistics.
CREATE TABLE case_ratings (
    case_id TEXT NOT NULL REFERENCES cases (id),
    n BIGINT NOT NULL,
    round BIGINT NOT NULL,
    grade BIGINT NOT NULL CHECK (grade BETWEEN 1 AND 5),
    solved BOOLEAN NOT NULL,
    reason TEXT,
    words TEXT,
    unit TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (case_id, n)
);
CREATE INDEX case_ratings_at ON case_ratings (at);

CREATE TABLE case_closings (
    case_id TEXT NOT NULL REFERENCES cases (id),
    n BIGINT NOT NULL,
    round BIGINT NOT NULL,
    conclusion TEXT NOT NULL,
    resolved_layer TEXT NOT NULL,
    silent BOOLEAN NOT NULL,
    in_time BOOLEAN NOT NULL,
    unit TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (case_id, n)
);
CREATE INDEX case_closings_at ON case_closings (at);

-- Signed replies: the text delivered is the text signed.
CREATE TABLE case_signatures (
    case_id TEXT NOT NULL REFERENCES cases (id),
    signed_at BIGINT NOT NULL,
    text TEXT NOT NULL,
    text_hash TEXT NOT NULL,
    conclusion TEXT NOT NULL,
    drafter TEXT NOT NULL,
    signer TEXT NOT NULL,
    as_deputy BOOLEAN NOT NULL,
    released_at BIGINT,
    PRIMARY KEY (case_id, signed_at)
);

-- Who stands in for a unit leader, from which day to which (AB岗).
CREATE TABLE unit_deputies (
    unit TEXT NOT NULL,
    officer_id TEXT NOT NULL REFERENCES officers (id),
    from_on TEXT NOT NULL,
    until_on TEXT NOT NULL,
    set_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (unit, officer_id, from_on)
);
