-- From schema 5 to 6. `waits` is JSON: why a waiting task is not in the queue; null for nothing.
ALTER TABLE tasks ADD COLUMN waits TEXT;
-- What was skipped is over, too: SQLite uses the index for queries with this very list only.
DROP INDEX tasks_live;
CREATE INDEX tasks_live ON tasks (id)
    WHERE state NOT IN ('CANCELLED', 'EXPIRED', 'FAILED', 'SKIPPED', 'SUCCEEDED', 'TIMED_OUT');
