-- Units, officers and their logins.
CREATE TABLE instance (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE units (
    slug TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    short_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    level TEXT NOT NULL,
    parent TEXT,
    supervise_path TEXT,
    active BOOLEAN NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE officers (
    id TEXT PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    must_change_password BOOLEAN NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- unit '' means the centre as a whole.
CREATE TABLE officer_roles (
    officer_id TEXT NOT NULL REFERENCES officers (id),
    role TEXT NOT NULL CHECK (role IN ('front_desk', 'dispatcher', 'verifier', 'unit_clerk', 'handler', 'unit_leader',
        'supervisor', 'leader', 'discipline', 'rule_editor', 'rule_publisher', 'admin', 'auditor')),
    unit TEXT NOT NULL,
    PRIMARY KEY (officer_id, role, unit)
);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    officer_id TEXT NOT NULL REFERENCES officers (id),
    csrf TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX sessions_officer ON sessions (officer_id);

CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    officer_id TEXT NOT NULL REFERENCES officers (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    used_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE login_attempts (
    id TEXT PRIMARY KEY,
    login TEXT NOT NULL,
    address TEXT NOT NULL,
    succeeded BOOLEAN NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX login_attempts_at ON login_attempts (at);

CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE rule_sets (
    hash TEXT PRIMARY KEY,
    files TEXT NOT NULL,
    published_by TEXT NOT NULL,
    note TEXT NOT NULL,
    published_at BIGINT NOT NULL
);
CREATE INDEX rule_sets_published ON rule_sets (published_at);
