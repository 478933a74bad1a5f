-- A directory's database as the first schema wrote it: its tables, and rows with the JSON of that time. It stands
-- for what users have on their disks, so it is never brought up to date.

CREATE TABLE requests (
    place INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    v INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    lane TEXT NOT NULL,
    state INTEGER NOT NULL,
    open INTEGER,
    ended_at INTEGER,
    sum INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX requests_tenant ON requests (tenant);
CREATE INDEX requests_open ON requests (lane) WHERE open = 1;

CREATE TABLE bodies (
    place INTEGER PRIMARY KEY,
    v INTEGER NOT NULL,
    sum INTEGER,
    data BLOB,
    file TEXT
) STRICT;
CREATE TABLE results (
    place INTEGER PRIMARY KEY,
    v INTEGER NOT NULL,
    sum INTEGER,
    data BLOB,
    file TEXT
) STRICT;

CREATE TABLE calls (
    place INTEGER NOT NULL,
    number INTEGER NOT NULL,
    v INTEGER NOT NULL,
    lane TEXT NOT NULL,
    settled INTEGER NOT NULL,
    charged_at INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (place, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_lane ON calls (lane, settled, charged_at);

-- One row per request and commit: every state the request passed in it, as [[rev, state, at], ...].
CREATE TABLE events (
    place INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    v INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (place, rev)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    v INTEGER NOT NULL,
    place INTEGER NOT NULL
) STRICT;

CREATE TABLE tenants (
    name TEXT PRIMARY KEY,
    v INTEGER NOT NULL,
    first_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
    name TEXT PRIMARY KEY,
    v INTEGER NOT NULL,
    day INTEGER NOT NULL,
    tokens INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- No stored time is later than this one.
CREATE TABLE clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    v INTEGER NOT NULL,
    ahead INTEGER NOT NULL
) STRICT;

INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, sum, data)
VALUES (1876951040001048577, X'01a0c4506c0177078000000000000001', 1, 'acme', 'sonnet', 1, 1, NULL, 3638882074, CAST('{"id":"01a0c450-6c01-7707-8000-000000000001","tenant":"acme","lane":"sonnet","model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","operation":"converse","priority":"normal","door":"job","state":"QUEUED","rev":1,"arrived_at":1790000000001,"deadline":null,"latest_start":null,"body_hash":"0101010101010101010101010101010101010101010101010101010101010101","body_bytes":4,"estimate":{"input":10,"max_output":100,"expected_output":50},"on_disconnect":"cancel","on_indeterminate":"retry","tries":0,"call":0,"calls_made":0,"reserved":0,"start_by":null,"not_before":null,"released_at":null,"started_at":null,"first_output_at":null,"ended_at":null,"outcome":null}' AS BLOB));
INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, sum, data)
VALUES (1876951040002097154, X'01a0c4506c0277078000000000000002', 1, 'acme', 'sonnet', 2, 1, NULL, 3654078565, CAST('{"id":"01a0c450-6c02-7707-8000-000000000002","tenant":"acme","lane":"sonnet","model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","operation":"converse","priority":"normal","door":"sync","state":"RELEASED","rev":2,"arrived_at":1790000000002,"deadline":null,"latest_start":null,"body_hash":"0101010101010101010101010101010101010101010101010101010101010101","body_bytes":4,"estimate":{"input":10,"max_output":100,"expected_output":50},"on_disconnect":"cancel","on_indeterminate":"retry","tries":0,"call":1,"calls_made":0,"reserved":110,"start_by":1790000020000,"not_before":null,"released_at":1790000000100,"started_at":null,"first_output_at":null,"ended_at":null,"outcome":null}' AS BLOB));
INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, sum, data)
VALUES (1876951040003145731, X'01a0c4506c0377078000000000000003', 1, 'acme', 'sonnet', 3, 1, NULL, 1583211551, CAST('{"id":"01a0c450-6c03-7707-8000-000000000003","tenant":"acme","lane":"sonnet","model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","operation":"converse","priority":"normal","door":"job","state":"RUNNING","rev":3,"arrived_at":1790000000003,"deadline":null,"latest_start":null,"body_hash":"0101010101010101010101010101010101010101010101010101010101010101","body_bytes":4,"estimate":{"input":10,"max_output":100,"expected_output":50},"on_disconnect":"cancel","on_indeterminate":"retry","tries":0,"call":1,"calls_made":1,"reserved":110,"start_by":null,"not_before":null,"released_at":1790000000100,"started_at":1790000000200,"first_output_at":null,"ended_at":null,"outcome":null}' AS BLOB));
INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, sum, data)
VALUES (1876951040004194308, X'01a0c4506c0477078000000000000004', 1, 'acme', 'sonnet', 4, NULL, 1790000000300, 1670568565, CAST('{"id":"01a0c450-6c04-7707-8000-000000000004","tenant":"acme","lane":"sonnet","model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","operation":"converse","priority":"normal","door":"sync","state":"COMPLETED","rev":4,"arrived_at":1790000000004,"deadline":null,"latest_start":null,"body_hash":"0101010101010101010101010101010101010101010101010101010101010101","body_bytes":4,"estimate":{"input":10,"max_output":100,"expected_output":50},"on_disconnect":"cancel","on_indeterminate":"retry","tries":0,"call":1,"calls_made":1,"reserved":110,"start_by":null,"not_before":null,"released_at":1790000000100,"started_at":1790000000200,"first_output_at":null,"ended_at":1790000000300,"outcome":{"answer":{"head":{"content_type":"","headers":[]},"usage":null,"bytes":6}}}' AS BLOB));
INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, sum, data)
VALUES (1876951040005242885, X'01a0c4506c0577078000000000000005', 1, 'acme', 'sonnet', 5, NULL, 1790000000300, 1140498632, CAST('{"id":"01a0c450-6c05-7707-8000-000000000005","tenant":"acme","lane":"sonnet","model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","operation":"converse","priority":"normal","door":"job","state":"FAILED","rev":4,"arrived_at":1790000000005,"deadline":null,"latest_start":null,"body_hash":"0101010101010101010101010101010101010101010101010101010101010101","body_bytes":4,"estimate":{"input":10,"max_output":100,"expected_output":50},"on_disconnect":"cancel","on_indeterminate":"retry","tries":0,"call":1,"calls_made":1,"reserved":110,"start_by":null,"not_before":null,"released_at":1790000000100,"started_at":1790000000200,"first_output_at":null,"ended_at":1790000000300,"outcome":{"failure":{"kind":null,"status":400,"exception":"ValidationException","message":"no"}}}' AS BLOB));
INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, sum, data)
VALUES (1876951040006291462, X'01a0c4506c0677078000000000000006', 1, 'acme', 'sonnet', 6, NULL, 1790000000400, 2515532018, CAST('{"id":"01a0c450-6c06-7707-8000-000000000006","tenant":"acme","lane":"sonnet","model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","operation":"converse","priority":"normal","door":"sync","state":"CANCELLED","rev":2,"arrived_at":1790000000006,"deadline":null,"latest_start":null,"body_hash":"0101010101010101010101010101010101010101010101010101010101010101","body_bytes":4,"estimate":{"input":10,"max_output":100,"expected_output":50},"on_disconnect":"cancel","on_indeterminate":"retry","tries":0,"call":0,"calls_made":0,"reserved":0,"start_by":null,"not_before":null,"released_at":null,"started_at":null,"first_output_at":null,"ended_at":1790000000400,"outcome":null}' AS BLOB));
INSERT INTO bodies (place, v, sum, data, file)
VALUES (1876951040001048577, 1, 3685223346, CAST('body' AS BLOB), NULL);
INSERT INTO bodies (place, v, sum, data, file)
VALUES (1876951040002097154, 1, 3685223346, CAST('body' AS BLOB), NULL);
INSERT INTO bodies (place, v, sum, data, file)
VALUES (1876951040003145731, 1, 3685223346, CAST('body' AS BLOB), NULL);
INSERT INTO bodies (place, v, sum, data, file)
VALUES (1876951040004194308, 1, 3685223346, CAST('body' AS BLOB), NULL);
INSERT INTO bodies (place, v, sum, data, file)
VALUES (1876951040005242885, 1, 3685223346, CAST('body' AS BLOB), NULL);
INSERT INTO bodies (place, v, sum, data, file)
VALUES (1876951040006291462, 1, 3685223346, CAST('body' AS BLOB), NULL);
INSERT INTO results (place, v, sum, data, file)
VALUES (1876951040004194308, 1, 2801990766, CAST('{"a":1' AS BLOB), NULL);
INSERT INTO calls (place, number, v, lane, settled, charged_at, sum, data)
VALUES (1876951040003145731, 1, 1, 'sonnet', 0, 1790000000200, 2456748076, CAST('{"request":"01a0c450-6c03-7707-8000-000000000003","number":1,"lane":"sonnet","reserved":110,"charged_at":1790000000200,"settlement":null}' AS BLOB));
INSERT INTO calls (place, number, v, lane, settled, charged_at, sum, data)
VALUES (1876951040004194308, 1, 1, 'sonnet', 1, 1790000000200, 1923991273, CAST('{"request":"01a0c450-6c04-7707-8000-000000000004","number":1,"lane":"sonnet","reserved":110,"charged_at":1790000000200,"settlement":{"call":1,"ending":"COMPLETED","charged":70,"usage":null,"throttle":null,"error":null,"upstream_request_id":null,"at":1790000000300}}' AS BLOB));
INSERT INTO calls (place, number, v, lane, settled, charged_at, sum, data)
VALUES (1876951040005242885, 1, 1, 'sonnet', 1, 1790000000200, 2418053326, CAST('{"request":"01a0c450-6c05-7707-8000-000000000005","number":1,"lane":"sonnet","reserved":110,"charged_at":1790000000200,"settlement":{"call":1,"ending":"FAILED","charged":30,"usage":null,"throttle":null,"error":null,"upstream_request_id":null,"at":1790000000300}}' AS BLOB));
INSERT INTO events (place, rev, v, data)
VALUES (1876951040001048577, 1, 1, '[[1,"QUEUED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040002097154, 1, 1, '[[1,"QUEUED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040002097154, 2, 1, '[[2,"RELEASED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040003145731, 1, 1, '[[1,"QUEUED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040003145731, 2, 1, '[[2,"RELEASED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040003145731, 3, 1, '[[3,"RUNNING",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040004194308, 1, 1, '[[1,"QUEUED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040004194308, 2, 1, '[[2,"RELEASED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040004194308, 3, 1, '[[3,"RUNNING",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040004194308, 4, 1, '[[4,"COMPLETED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040005242885, 1, 1, '[[1,"QUEUED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040005242885, 2, 1, '[[2,"RELEASED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040005242885, 3, 1, '[[3,"RUNNING",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040005242885, 4, 1, '[[4,"FAILED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040006291462, 1, 1, '[[1,"QUEUED",1790000000000]]');
INSERT INTO events (place, rev, v, data)
VALUES (1876951040006291462, 2, 1, '[[2,"CANCELLED",1790000000000]]');
INSERT INTO outbox (seq, v, place)
VALUES (1790000000000000, 1, 1876951040004194308);
INSERT INTO outbox (seq, v, place)
VALUES (1790000000000001, 1, 1876951040005242885);
INSERT INTO outbox (seq, v, place)
VALUES (1790000000000002, 1, 1876951040006291462);
INSERT INTO tenants (name, v, first_seen)
VALUES ('acme', 1, 1790000000000);
INSERT INTO lanes (name, v, day, tokens)
VALUES ('sonnet', 1, 20717, 100);
INSERT INTO clock (only, v, ahead)
VALUES (1, 1, 1790000000100);
PRAGMA application_id = 1112763759;
PRAGMA user_version = 1;
