-- The clocks of the cases, one row each, and their timers: what has to happen at which moment without anybody acting.
-- A timer fires once: its row goes from waiting to fired in one UPDATE, together with what it does.
CREATE TABLE clocks (
    case_id TEXT NOT NULL REFERENCES cases (id),
    key TEXT NOT NULL CHECK (key IN ('K1', 'K2', 'K3', 'K4', 'K5', 'K5a', 'K6', 'K7', 'K8', 'K9', 'K10', 'K11', 'K12', 'K13')),
    turn BIGINT NOT NULL,
    task_id TEXT,
    owner TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    limit_unit TEXT CHECK (limit_unit IN ('working_days', 'working_hours', 'working_minutes', 'minutes', 'calendar_days')),
    limit_n BIGINT,
    limit_at BIGINT,
    extension_days BIGINT NOT NULL,
    due_at BIGINT,
    provisional BOOLEAN NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'held', 'stopped', 'cancelled')),
    stopped_at BIGINT,
    missed BOOLEAN NOT NULL,
    -- version of the calendar the due date was computed with
    calendar TEXT NOT NULL,
    PRIMARY KEY (case_id, key, turn)
);
CREATE INDEX clocks_due ON clocks (due_at) WHERE state = 'running';
CREATE INDEX clocks_open ON clocks (calendar, case_id) WHERE state IN ('running', 'paused', 'held');

CREATE TABLE timers (
    case_id TEXT NOT NULL REFERENCES cases (id),
    -- a clock with its turn and a step of the ladder ('rung:2'), or no clock, the moment itself and an action ('act:deem_signed')
    clock TEXT NOT NULL,
    turn BIGINT NOT NULL,
    step TEXT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'fired', 'cancelled')),
    fired_at BIGINT,
    -- what came of it: 'done', or the code of the refusal
    outcome TEXT,
    PRIMARY KEY (case_id, clock, turn, step)
);
CREATE INDEX timers_waiting ON timers (at) WHERE state = 'waiting';
