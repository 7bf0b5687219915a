-- From schema 3 to 4: attempts that wait on their worker for the capacity of another.
ALTER TABLE attempts ADD COLUMN behind INTEGER NOT NULL DEFAULT 0;
