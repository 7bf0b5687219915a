-- From schema 5 to 6: workers that get no new work by an operator's word; `cordon` is JSON.
CREATE TABLE cordons (worker_id TEXT PRIMARY KEY, cordon TEXT NOT NULL) WITHOUT ROWID;
-- And attempts that were told to stop only to empty their worker.
ALTER TABLE attempts ADD COLUMN drained INTEGER NOT NULL DEFAULT 0;
