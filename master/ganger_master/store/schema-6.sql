-- From schema 5 to 6. `waits` is JSON: why a waiting task is not in the queue; null for nothing.
ALTER TABLE tasks ADD COLUMN waits TEXT;
