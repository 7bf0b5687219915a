-- From schema 5 to 6. `waits` is JSON: why a waiting task is not in the queue; null for nothing.
ALTER TABLE tasks ADD COLUMN waits TEXT;
ALTER TABLE tasks ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;
