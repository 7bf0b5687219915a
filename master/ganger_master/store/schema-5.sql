-- From schema 4 to 5: arrays. `array` is JSON, of an array only; its elements have ids that follow its own.
ALTER TABLE tasks ADD COLUMN array TEXT;
ALTER TABLE tasks ADD COLUMN array_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN array_index INTEGER NOT NULL DEFAULT 0;
CREATE INDEX arrays ON tasks (id) WHERE array IS NOT NULL;
CREATE INDEX tasks_listed ON tasks (id) WHERE array_id = 0;

-- What elements get, by the SHA-256 of the content.
CREATE TABLE items (digest TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
