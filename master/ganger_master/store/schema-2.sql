-- From schema 1 to 2: counters that never go back, and what it takes to forget what is old.
-- The number of the next event: pruned events must not be counted again.
INSERT INTO counters SELECT 'next_seq', coalesce(max(seq), 0) + 1 FROM events;
-- The epoch is raised by every restore; `restored` says that one has yet to be settled (see restored.py).
INSERT INTO counters VALUES ('epoch', 1), ('restored', 0);

-- A request is kept as long as any task of its range, and a day at least.
ALTER TABLE requests ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN first_task_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN last_task_id INTEGER NOT NULL DEFAULT 0;
UPDATE requests SET at_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
-- A submission was answered with its first task's id; its last is the one before the next submission's first.
UPDATE requests SET first_task_id = found.first, last_task_id = found.last
FROM (
    SELECT owner, request_id, CAST(answer AS INTEGER) AS first,
        lead(CAST(answer AS INTEGER), 1, (SELECT value FROM counters WHERE name = 'next_task_id'))
            OVER (ORDER BY CAST(answer AS INTEGER)) - 1 AS last
    FROM requests WHERE answer GLOB '[0-9]*'
) AS found
WHERE requests.owner = found.owner AND requests.request_id = found.request_id;

CREATE INDEX requests_by_age ON requests (at_ms);
CREATE INDEX tasks_ended ON tasks (state, finished_ms) WHERE finished_ms > 0;
