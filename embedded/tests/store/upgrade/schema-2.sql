-- What the second schema added to the first, with what a lane had learned.
ALTER TABLE requests ADD COLUMN dead INTEGER;
CREATE INDEX requests_dead ON requests (dead) WHERE dead = 1;

CREATE TABLE memories (
    lane TEXT PRIMARY KEY,
    v INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO memories (lane, v, sum, data)
VALUES ('sonnet', 1, 3363367477, CAST('{"breaker":{"open_until":5000,"row":2}}' AS BLOB));
PRAGMA user_version = 2;
