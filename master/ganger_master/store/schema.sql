-- The master's durable truth, schema 1. Times are Unix milliseconds; outcome, spec and profile are JSON.
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('next_task_id', 1);

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    spec TEXT NOT NULL,
    state TEXT NOT NULL,
    submitted_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    token INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    finished_ms INTEGER NOT NULL,
    outcome TEXT
);
CREATE INDEX tasks_live ON tasks (id) WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED');

CREATE TABLE attempts (
    task_id INTEGER NOT NULL,
    token INTEGER NOT NULL,
    worker_id TEXT NOT NULL,
    worker_name TEXT NOT NULL,
    state TEXT NOT NULL,
    planned_by TEXT NOT NULL,
    assigned_ms INTEGER NOT NULL,
    phase TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    outcome TEXT,
    stdout_bytes INTEGER NOT NULL,
    stderr_bytes INTEGER NOT NULL,
    stdout_tail BLOB NOT NULL,
    stderr_tail BLOB NOT NULL,
    PRIMARY KEY (task_id, token)
) WITHOUT ROWID;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    task_id INTEGER NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    token INTEGER NOT NULL,
    worker_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    outcome TEXT
);

CREATE TABLE requests (
    owner TEXT NOT NULL,
    request_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (owner, request_id)
) WITHOUT ROWID;

CREATE TABLE workers (id TEXT PRIMARY KEY, profile TEXT NOT NULL) WITHOUT ROWID;
