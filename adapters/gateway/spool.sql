-- name: schema
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  envelope TEXT PRIMARY KEY, adapter TEXT NOT NULL, key TEXT NOT NULL, mailbox TEXT NOT NULL, thread TEXT NOT NULL,
  type TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, draft BLOB, header BLOB, wraps BLOB, body BLOB,
  content_key BLOB, acceptance BLOB, refusal BLOB, UNIQUE (adapter, key));
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (state, at);
CREATE TABLE IF NOT EXISTS inbox (
  envelope TEXT NOT NULL, mailbox TEXT NOT NULL, seq INTEGER NOT NULL, thread TEXT NOT NULL, type TEXT NOT NULL,
  sender TEXT NOT NULL, at INTEGER NOT NULL, accepted_at INTEGER NOT NULL, state TEXT NOT NULL, code TEXT, record TEXT,
  header BLOB, content BLOB, manifest_sha256 TEXT, sealed_sha256 TEXT NOT NULL,
  PRIMARY KEY (envelope, mailbox));
CREATE INDEX IF NOT EXISTS outbox_thread ON outbox (thread);
CREATE INDEX IF NOT EXISTS inbox_thread ON inbox (thread);
CREATE INDEX IF NOT EXISTS inbox_waiting ON inbox (at) WHERE state = 'collected';
CREATE TABLE IF NOT EXISTS receipt (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, envelope TEXT NOT NULL, mailbox TEXT NOT NULL,
  level TEXT NOT NULL, sha256 TEXT NOT NULL, jws BLOB NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, code TEXT);
CREATE INDEX IF NOT EXISTS receipt_of ON receipt (envelope, mailbox);
CREATE INDEX IF NOT EXISTS receipt_waiting ON receipt (number) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS heard (
  id TEXT PRIMARY KEY, envelope TEXT NOT NULL, mailbox TEXT NOT NULL, level TEXT NOT NULL, code TEXT, at INTEGER NOT NULL,
  jws BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS heard_of ON heard (envelope);
CREATE TABLE IF NOT EXISTS place (mailbox TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS obligation (
  id TEXT PRIMARY KEY, thread TEXT NOT NULL, envelope TEXT NOT NULL, duty BLOB NOT NULL, state TEXT NOT NULL,
  step INTEGER NOT NULL, next_at INTEGER, settled_at INTEGER, settled_by TEXT);
CREATE INDEX IF NOT EXISTS obligation_thread ON obligation (thread) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS obligation_settled ON obligation (settled_by);
CREATE INDEX IF NOT EXISTS obligation_due ON obligation (next_at) WHERE state = 'open';
CREATE TABLE IF NOT EXISTS notice (
  id TEXT PRIMARY KEY, topic TEXT NOT NULL UNIQUE, code TEXT NOT NULL, mailbox TEXT, source TEXT NOT NULL,
  at INTEGER NOT NULL, details BLOB NOT NULL, told INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS notice_untold ON notice (at) WHERE told = 0;
CREATE TABLE IF NOT EXISTS unproved (
  envelope TEXT PRIMARY KEY, ix INTEGER NOT NULL, leaf BLOB NOT NULL, thread TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chore (
  kind TEXT NOT NULL, ref TEXT NOT NULL, details BLOB NOT NULL, PRIMARY KEY (kind, ref)) WITHOUT ROWID;

-- name: set_fact
INSERT INTO fact (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value
-- name: find_fact
SELECT value FROM fact WHERE name = :name

-- name: add_draft
INSERT INTO outbox (envelope, adapter, key, mailbox, thread, type, at, state, draft)
VALUES (:envelope, :adapter, :key, :mailbox, :thread, :type, :at, 'drafted', :draft) ON CONFLICT DO NOTHING
-- name: find_draft
SELECT * FROM outbox WHERE adapter = :adapter AND key = :key
-- name: find_sent
SELECT * FROM outbox WHERE envelope = :envelope
-- name: list_sent
SELECT envelope, adapter, key, mailbox, thread, type, at, state, header, acceptance, refusal FROM outbox ORDER BY at, envelope
-- name: drafted
SELECT envelope FROM outbox WHERE state = 'drafted' ORDER BY at
-- name: sealed
SELECT envelope, length(body) AS size FROM outbox WHERE state = 'sealed' ORDER BY at
-- name: set_sealed
UPDATE outbox SET state = 'sealed', header = :header, wraps = :wraps, body = :body, content_key = :content_key
WHERE envelope = :envelope AND state IN ('drafted', 'sealed')
-- name: set_accepted
UPDATE outbox SET state = 'accepted', acceptance = :acceptance, draft = NULL, body = NULL
WHERE envelope = :envelope AND state = 'sealed'
-- name: set_refused
UPDATE outbox SET state = 'refused', refusal = :refusal, draft = NULL, body = NULL, content_key = NULL
WHERE envelope = :envelope AND state IN ('drafted', 'sealed')
-- name: set_redraft
UPDATE outbox SET state = 'drafted', body = NULL
WHERE envelope = :envelope AND state = 'sealed'
-- name: set_wraps
UPDATE outbox SET wraps = :wraps WHERE envelope = :envelope
-- name: set_withdrawn
UPDATE outbox SET state = 'withdrawn' WHERE envelope = :envelope AND state = 'accepted'
-- name: forget_content_key
UPDATE outbox SET content_key = NULL WHERE envelope = :envelope

-- name: add_incoming
INSERT INTO inbox (envelope, mailbox, seq, thread, type, sender, at, accepted_at, state, code, header, content,
                   manifest_sha256, sealed_sha256)
VALUES (:envelope, :mailbox, :seq, :thread, :type, :sender, :at, :accepted_at, :state, :code, :header, :content,
        :manifest_sha256, :sealed_sha256)
ON CONFLICT (envelope, mailbox) DO UPDATE SET seq = excluded.seq, thread = excluded.thread, type = excluded.type,
  sender = excluded.sender, accepted_at = excluded.accepted_at, state = excluded.state, code = excluded.code, header = excluded.header,
  content = excluded.content, manifest_sha256 = excluded.manifest_sha256
WHERE inbox.state = 'rejected'
-- name: find_incoming
SELECT * FROM inbox WHERE envelope = :envelope AND mailbox = :mailbox
-- name: find_for_any
SELECT * FROM inbox WHERE envelope = :envelope ORDER BY mailbox
-- name: list_incoming
SELECT envelope, mailbox, seq, thread, type, sender, at, accepted_at, state, code, record FROM inbox ORDER BY accepted_at, mailbox
-- name: to_file
SELECT envelope, mailbox FROM inbox WHERE state = 'collected' ORDER BY at
-- name: set_incoming
UPDATE inbox SET state = :state, code = :code, record = coalesce(:record, record)
WHERE envelope = :envelope AND mailbox = :mailbox
-- name: sweep_inbox
UPDATE inbox SET content = NULL
WHERE content IS NOT NULL AND at < :before
  AND (state IN ('filed', 'destroyed')
       OR EXISTS (SELECT 1 FROM receipt WHERE receipt.envelope = inbox.envelope AND receipt.mailbox = inbox.mailbox
                  AND receipt.level = 'declined' AND receipt.state = 'taken'))
  AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.envelope = inbox.envelope AND receipt.mailbox = inbox.mailbox
                  AND (receipt.state = 'waiting' OR receipt.at >= :before))
  AND NOT EXISTS (SELECT 1 FROM obligation WHERE obligation.envelope = inbox.envelope
                  AND (obligation.state = 'open' OR obligation.settled_at >= :before))
-- name: sweep_outbox
UPDATE outbox SET draft = NULL, body = NULL, content_key = NULL, wraps = NULL
WHERE state IN ('withdrawn', 'refused') AND at < :before AND wraps IS NOT NULL
-- name: drop_content
UPDATE inbox SET content = NULL WHERE envelope = :envelope AND mailbox = :mailbox

-- name: add_receipt
INSERT INTO receipt (id, envelope, mailbox, level, sha256, jws, at, state)
VALUES (:id, :envelope, :mailbox, :level, :sha256, :jws, :at, 'waiting')
-- name: last_receipt
SELECT sha256 FROM receipt WHERE envelope = :envelope AND mailbox = :mailbox AND state <> 'refused'
ORDER BY number DESC LIMIT 1
-- name: last_taken
SELECT sha256 FROM receipt WHERE envelope = :envelope AND mailbox = :mailbox AND state = 'taken'
ORDER BY number DESC LIMIT 1
-- name: openings_of
SELECT jws FROM receipt WHERE envelope = :envelope AND mailbox = :mailbox AND level = 'opened'
-- name: receipts_of
SELECT id, envelope, mailbox, level, at, state, code FROM receipt
WHERE envelope = :envelope AND mailbox = :mailbox ORDER BY number
-- name: waiting_receipts
SELECT number, id, envelope, mailbox, level, jws FROM receipt WHERE state = 'waiting' ORDER BY number LIMIT :limit
-- name: set_receipt
UPDATE receipt SET state = :state, code = :code WHERE id = :id

-- name: add_heard
INSERT INTO heard (id, envelope, mailbox, level, code, at, jws)
VALUES (:id, :envelope, :mailbox, :level, :code, :at, :jws) ON CONFLICT (id) DO NOTHING
-- name: heard_of
SELECT id, mailbox, level, code, at FROM heard WHERE envelope = :envelope ORDER BY rowid

-- name: headers_sent
SELECT header, acceptance FROM outbox WHERE thread = :thread AND state = 'accepted'
-- name: headers_received
SELECT header, accepted_at FROM inbox WHERE thread = :thread AND header IS NOT NULL AND state <> 'destroyed'

-- name: set_place
INSERT INTO place (mailbox, seq) VALUES (:mailbox, :seq) ON CONFLICT (mailbox) DO UPDATE SET seq = excluded.seq
-- name: find_place
SELECT seq FROM place WHERE mailbox = :mailbox
-- name: rewind
DELETE FROM place

-- name: add_obligation
INSERT INTO obligation (id, thread, envelope, duty, state, step, next_at)
VALUES (:id, :thread, :envelope, :duty, 'open', 0, :next_at) ON CONFLICT (id) DO NOTHING
-- name: open_in_thread
SELECT id, duty FROM obligation WHERE thread = :thread AND state = 'open'
-- name: due_obligations
SELECT id, duty, step FROM obligation WHERE state = 'open' AND next_at <= :now ORDER BY next_at LIMIT :limit
-- name: advance_obligation
UPDATE obligation SET step = :step, next_at = :next_at WHERE id = :id
-- name: settle_obligation
UPDATE obligation SET state = :state, settled_at = :settled_at, settled_by = :settled_by WHERE id = :id AND state = 'open'
-- name: reopen_obligation
UPDATE obligation SET state = 'open', settled_at = NULL, settled_by = NULL, step = :step, next_at = :next_at WHERE id = :id
-- name: met_by
SELECT id, duty FROM obligation WHERE settled_by = :settled_by AND state IN ('met', 'met_late')
-- name: find_obligation
SELECT * FROM obligation WHERE id = :id
-- name: list_obligations
SELECT * FROM obligation ORDER BY next_at, id

-- name: add_notice
INSERT INTO notice (id, topic, code, mailbox, source, at, details, told)
VALUES (:id, :topic, :code, :mailbox, :source, :at, :details, 0) ON CONFLICT DO NOTHING
-- name: untold_notices
SELECT * FROM notice WHERE told = 0 ORDER BY at, id LIMIT :limit
-- name: set_told
UPDATE notice SET told = 1 WHERE id = :id
-- name: list_notices
SELECT * FROM notice ORDER BY at, id

-- name: add_unproved
INSERT INTO unproved (envelope, ix, leaf, thread) VALUES (:envelope, :ix, :leaf, :thread) ON CONFLICT DO NOTHING
-- name: unproved
SELECT * FROM unproved ORDER BY ix LIMIT :limit
-- name: drop_unproved
DELETE FROM unproved WHERE envelope = :envelope

-- name: add_chore
INSERT INTO chore (kind, ref, details) VALUES (:kind, :ref, :details) ON CONFLICT DO NOTHING
-- name: chores
SELECT * FROM chore ORDER BY kind, ref LIMIT :limit
-- name: drop_chore
DELETE FROM chore WHERE kind = :kind AND ref = :ref
