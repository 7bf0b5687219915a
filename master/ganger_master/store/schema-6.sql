-- From schema 5 to 6. `waits` is JSON: why a waiting task is not in the queue; null for nothing.
ALTER TABLE tasks ADD COLUMN waits TEXT;
ALTER TABLE tasks ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;

-- The labels of tasks and arrays, to find them by; elements have those of their array. What counts is in the spec.
CREATE TABLE labels (
    task_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (task_id, key)
) WITHOUT ROWID;
CREATE INDEX labels_by_value ON labels (key, value, task_id);
CREATE INDEX tasks_named ON tasks (json_extract(spec, '$.name'), id)
WHERE array_id = 0 AND json_extract(spec, '$.name') <> '';
-- Workers that get no new work by an operator's word; `cordon` is JSON.
CREATE TABLE cordons (worker_id TEXT PRIMARY KEY, cordon TEXT NOT NULL) WITHOUT ROWID;
-- And attempts that were told to stop only to empty their worker.
ALTER TABLE attempts ADD COLUMN drained INTEGER NOT NULL DEFAULT 0;
-- What was skipped is over, too: SQLite uses the index for queries with this very list only.
DROP INDEX tasks_live;
CREATE INDEX tasks_live ON tasks (id)
    WHERE state NOT IN ('CANCELLED', 'EXPIRED', 'FAILED', 'SKIPPED', 'SUCCEEDED', 'TIMED_OUT');



-- What a task published last: `files` and `notes` are JSON, `result` is canonical JSON or empty.
CREATE TABLE outputs (
    task_id INTEGER PRIMARY KEY,
    token INTEGER NOT NULL,
    worker_id TEXT NOT NULL,
    worker_name TEXT NOT NULL,
    files TEXT NOT NULL,
    result TEXT NOT NULL,
    notes TEXT NOT NULL
);
