-- From schema 2 to 3: leases of attempts, how they were told to stop, losses counted, two more final states.
-- A negative lease or grace is not known: such an attempt has the cluster's, which is filled in at the start.
ALTER TABLE attempts ADD COLUMN lease_s REAL NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN stop_signal INTEGER NOT NULL DEFAULT 15;
ALTER TABLE attempts ADD COLUMN stop_grace_s REAL NOT NULL DEFAULT 0;
UPDATE attempts SET lease_s = -1, stop_grace_s = -1 WHERE state IN ('ASSIGNED', 'STARTING', 'RUNNING', 'STOPPING');
ALTER TABLE tasks ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;

-- SQLite uses it for queries with this very list only.
DROP INDEX tasks_live;
CREATE INDEX tasks_live ON tasks (id) WHERE state NOT IN ('CANCELLED', 'EXPIRED', 'FAILED', 'SUCCEEDED', 'TIMED_OUT');
