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
  header BLOB, content BLOB, manifest_sha256 TEXT, sealed_sha256 TEXT NOT NULL, attention TEXT NOT NULL DEFAULT 'new',
  indexed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (envelope, mailbox));
CREATE INDEX IF NOT EXISTS inbox_attention ON inbox (mailbox, attention, accepted_at);
CREATE INDEX IF NOT EXISTS outbox_thread ON outbox (thread);
CREATE INDEX IF NOT EXISTS outbox_written ON outbox (at) WHERE adapter = 'inbox' AND draft IS NOT NULL;
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
CREATE TABLE IF NOT EXISTS heard_place (id TEXT PRIMARY KEY, ix INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (mailbox TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS obligation (
  id TEXT PRIMARY KEY, thread TEXT NOT NULL, envelope TEXT NOT NULL, duty BLOB NOT NULL, state TEXT NOT NULL,
  step INTEGER NOT NULL, next_at INTEGER, settled_at INTEGER, settled_by TEXT,
  kind TEXT NOT NULL, debtor TEXT NOT NULL, creditor TEXT NOT NULL, due INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS obligation_owed_by ON obligation (debtor, due) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS obligation_owed_to ON obligation (creditor, due) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS obligation_of_thread ON obligation (thread, state);
CREATE INDEX IF NOT EXISTS obligation_settled ON obligation (settled_by);
CREATE INDEX IF NOT EXISTS obligation_of_envelope ON obligation (envelope);
CREATE INDEX IF NOT EXISTS obligation_due ON obligation (next_at) WHERE state = 'open';
CREATE TABLE IF NOT EXISTS notice (
  id TEXT PRIMARY KEY, topic TEXT NOT NULL UNIQUE, code TEXT NOT NULL, mailbox TEXT, source TEXT NOT NULL,
  at INTEGER NOT NULL, details BLOB NOT NULL, told INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS notice_untold ON notice (at) WHERE told = 0;
CREATE INDEX IF NOT EXISTS inbox_type ON inbox (type) WHERE content IS NOT NULL;
CREATE INDEX IF NOT EXISTS inbox_every_type ON inbox (type, accepted_at);
CREATE TABLE IF NOT EXISTS embargo (
  envelope TEXT NOT NULL, mailbox TEXT NOT NULL, supersedes TEXT, until INTEGER NOT NULL,
  PRIMARY KEY (envelope, mailbox)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS embargo_until ON embargo (until);
CREATE INDEX IF NOT EXISTS embargo_supersedes ON embargo (supersedes);
CREATE TABLE IF NOT EXISTS exclusion (
  number INTEGER PRIMARY KEY AUTOINCREMENT, thread TEXT NOT NULL, person TEXT NOT NULL, state TEXT NOT NULL,
  at INTEGER NOT NULL, details BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS exclusion_of ON exclusion (thread, person);
CREATE TABLE IF NOT EXISTS export (
  number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, envelope TEXT NOT NULL, mailbox TEXT NOT NULL,
  variant TEXT NOT NULL, form TEXT NOT NULL, person TEXT NOT NULL, reason TEXT, second TEXT);
CREATE INDEX IF NOT EXISTS export_of ON export (envelope);
CREATE TABLE IF NOT EXISTS item (ref TEXT NOT NULL, envelope TEXT NOT NULL, PRIMARY KEY (ref, envelope)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unregistered (
  number INTEGER PRIMARY KEY AUTOINCREMENT, envelope TEXT NOT NULL, why TEXT NOT NULL, draft BLOB);
CREATE TABLE IF NOT EXISTS deletion (
  envelope TEXT NOT NULL, mailbox TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (envelope, mailbox)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deletion_at ON deletion (at);
CREATE TABLE IF NOT EXISTS legal_hold (
  thread TEXT NOT NULL, envelope TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (thread, envelope)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept_back (
  thread TEXT NOT NULL, envelope TEXT NOT NULL, mailbox TEXT NOT NULL, PRIMARY KEY (thread, envelope, mailbox)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chore (
  kind TEXT NOT NULL, ref TEXT NOT NULL, details BLOB NOT NULL, PRIMARY KEY (kind, ref)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS atrisk_issued (
  version INTEGER PRIMARY KEY, list TEXT NOT NULL, digest TEXT NOT NULL, envelope TEXT, thread TEXT,
  expires_at INTEGER NOT NULL, state TEXT NOT NULL, content BLOB);
CREATE TABLE IF NOT EXISTS atrisk_answer (
  envelope TEXT PRIMARY KEY, clinic TEXT NOT NULL, thread TEXT NOT NULL, version INTEGER NOT NULL,
  points INTEGER NOT NULL, at INTEGER NOT NULL, content BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS atrisk_answer_of ON atrisk_answer (version, clinic);
CREATE INDEX IF NOT EXISTS atrisk_answer_unsent ON atrisk_answer (at) WHERE content IS NOT NULL;
CREATE TABLE IF NOT EXISTS atrisk_list (
  list TEXT NOT NULL, version INTEGER NOT NULL, sender TEXT NOT NULL, thread TEXT NOT NULL, envelope TEXT NOT NULL,
  expires_at INTEGER NOT NULL, loaded_at INTEGER NOT NULL, state TEXT NOT NULL, acked INTEGER NOT NULL, content BLOB,
  PRIMARY KEY (list, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS atrisk_query (
  id TEXT PRIMARY KEY, list TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, envelope TEXT UNIQUE,
  content BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS atrisk_query_at ON atrisk_query (at);
CREATE TABLE IF NOT EXISTS atrisk_attendance (
  ref TEXT PRIMARY KEY, at INTEGER NOT NULL, month TEXT NOT NULL, state TEXT NOT NULL, late INTEGER NOT NULL,
  query TEXT, match TEXT UNIQUE, content BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS atrisk_origin (
  ref TEXT PRIMARY KEY, adapter TEXT NOT NULL, told TEXT NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS atrisk_identity (ref TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS atrisk_waiting ON atrisk_attendance (at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS atrisk_known ON atrisk_attendance (at) WHERE state = 'known' AND content IS NOT NULL;

-- name: set_fact
INSERT INTO fact (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value
-- name: find_fact
SELECT value FROM fact WHERE name = :name
-- name: drop_fact
DELETE FROM fact WHERE name = :name

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
UPDATE outbox SET state = 'accepted', acceptance = :acceptance, draft = CASE adapter WHEN 'inbox' THEN draft END, body = NULL
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
-- name: replacing_in_thread
SELECT envelope, header FROM inbox
WHERE thread = :thread AND mailbox = :mailbox AND header IS NOT NULL AND state NOT IN ('rejected', 'destroyed')
ORDER BY accepted_at DESC
-- name: list_incoming
SELECT envelope, mailbox, seq, thread, type, sender, at, accepted_at, state, code, record FROM inbox ORDER BY accepted_at, mailbox
-- name: received_in_thread
SELECT * FROM inbox
WHERE thread = :thread AND type >= :first AND type < :last AND state NOT IN ('rejected', 'destroyed')
ORDER BY accepted_at, mailbox
-- name: headers_of_family
SELECT envelope, mailbox, header FROM inbox
WHERE type >= :first AND type < :last AND state NOT IN ('rejected', 'destroyed', 'embargoed') AND header IS NOT NULL
ORDER BY accepted_at, mailbox
-- name: newest_filed
SELECT envelope, content FROM inbox WHERE state = 'filed' AND content IS NOT NULL
ORDER BY accepted_at DESC, envelope DESC LIMIT 1
-- name: to_file
SELECT envelope, mailbox FROM inbox WHERE state = 'collected' ORDER BY at
-- name: new_for
SELECT inbox.envelope, inbox.mailbox, inbox.thread, inbox.type, inbox.sender, inbox.accepted_at, inbox.state
FROM inbox WHERE inbox.mailbox = :mailbox AND inbox.attention = :attention
  AND inbox.state NOT IN ('rejected', 'destroyed', 'deleted')
  AND (EXISTS (SELECT 1 FROM holder AS h WHERE h.thread = inbox.thread AND h.mailbox = inbox.mailbox AND h.person = :person)
       OR NOT EXISTS (SELECT 1 FROM holding AS h WHERE h.thread = inbox.thread AND h.mailbox = inbox.mailbox
                      AND NOT (h.away_since <= :now AND h.away_until > :now)))
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = inbox.thread AND e.person = :excluded)
ORDER BY inbox.accepted_at DESC LIMIT :limit
-- name: set_attention
UPDATE inbox SET attention = :attention WHERE envelope = :envelope AND mailbox = :mailbox AND attention <> 'done'
-- name: wait_again
UPDATE inbox SET attention = 'new' WHERE envelope = :envelope AND mailbox = :mailbox AND attention = 'replaced'
-- name: set_incoming
UPDATE inbox SET state = :state, code = :code, record = coalesce(:record, record)
WHERE envelope = :envelope AND mailbox = :mailbox
-- name: sweep_inbox
UPDATE inbox SET content = NULL
WHERE content IS NOT NULL AND at < :before AND state <> 'embargoed'
  AND (state IN ('filed', 'destroyed')
       OR EXISTS (SELECT 1 FROM receipt WHERE receipt.envelope = inbox.envelope AND receipt.mailbox = inbox.mailbox
                  AND receipt.level = 'declined' AND receipt.state = 'taken'))
  AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.envelope = inbox.envelope AND receipt.mailbox = inbox.mailbox
                  AND (receipt.state = 'waiting' OR receipt.at >= :before))
  AND NOT EXISTS (SELECT 1 FROM obligation WHERE obligation.envelope = inbox.envelope
                  AND (obligation.state = 'open' OR obligation.settled_at >= :before))
  AND NOT EXISTS (SELECT 1 FROM legal_hold AS l WHERE l.thread = inbox.thread AND l.envelope IN ('', inbox.envelope))
-- name: sweep_outbox
UPDATE outbox SET draft = NULL, body = NULL, content_key = NULL, wraps = NULL
WHERE state IN ('withdrawn', 'refused') AND at < :before AND wraps IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM legal_hold AS l WHERE l.thread = outbox.thread AND l.envelope IN ('', outbox.envelope))
-- name: sweep_written
UPDATE outbox SET draft = NULL
WHERE adapter = 'inbox' AND state = 'accepted' AND draft IS NOT NULL AND at < :before
  AND NOT EXISTS (SELECT 1 FROM obligation WHERE obligation.thread = outbox.thread
                  AND (obligation.state = 'open' OR obligation.settled_at >= :before))
  AND NOT EXISTS (SELECT 1 FROM legal_hold AS l WHERE l.thread = outbox.thread AND l.envelope IN ('', outbox.envelope))
-- name: drop_written
UPDATE outbox SET draft = NULL WHERE envelope = :envelope AND state = 'accepted'
-- name: drop_content
UPDATE inbox SET content = NULL WHERE envelope = :envelope AND mailbox = :mailbox

-- name: add_embargo
INSERT INTO embargo (envelope, mailbox, supersedes, until) VALUES (:envelope, :mailbox, :supersedes, :until)
ON CONFLICT (envelope, mailbox) DO UPDATE SET until = excluded.until
-- name: embargo_of
SELECT until FROM embargo WHERE envelope = :envelope AND mailbox = :mailbox
-- name: due_embargoes
SELECT envelope, mailbox FROM embargo WHERE until <= :now ORDER BY until LIMIT :limit
-- name: lift_embargo
UPDATE inbox SET state = :state WHERE envelope = :envelope AND mailbox = :mailbox AND state = 'embargoed'
-- name: drop_embargo
DELETE FROM embargo WHERE envelope = :envelope AND mailbox = :mailbox

-- name: add_exclusion
INSERT INTO exclusion (thread, person, state, at, details) VALUES (:thread, :person, :state, :at, :details)
-- name: last_exclusion
SELECT state FROM exclusion WHERE thread = :thread AND person = :person ORDER BY number DESC LIMIT 1

-- name: add_export
INSERT INTO export (at, envelope, mailbox, variant, form, person, reason, second)
VALUES (:at, :envelope, :mailbox, :variant, :form, :person, :reason, :second)
-- name: list_exports
SELECT at, envelope, mailbox, variant, form, person, reason, second FROM export
ORDER BY number
-- name: exports_of
SELECT at, envelope, mailbox, variant, form, person, reason, second FROM export WHERE envelope = :envelope ORDER BY number

-- name: add_item
INSERT INTO item (ref, envelope) VALUES (:ref, :envelope) ON CONFLICT DO NOTHING
-- name: envelopes_with
SELECT envelope FROM item WHERE ref = :ref ORDER BY envelope
-- name: headers_with
SELECT outbox.header FROM item JOIN outbox USING (envelope)
WHERE item.ref = :ref AND outbox.state IN ('sealed', 'accepted')
UNION SELECT inbox.header FROM item JOIN inbox USING (envelope)
WHERE item.ref = :ref AND inbox.state NOT IN ('rejected', 'destroyed')
-- name: content_of_type
SELECT envelope, mailbox, content FROM inbox WHERE type = :type AND content IS NOT NULL ORDER BY envelope

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
-- name: signed_receipts_of
SELECT jws FROM receipt WHERE envelope = :envelope AND mailbox = :mailbox AND state <> 'refused' ORDER BY number
-- name: waiting_receipts
SELECT number, id, envelope, mailbox, level, jws FROM receipt WHERE state = 'waiting' ORDER BY number LIMIT :limit
-- name: set_receipt
UPDATE receipt SET state = :state, code = :code WHERE id = :id

-- name: add_heard
INSERT INTO heard (id, envelope, mailbox, level, code, at, jws)
VALUES (:id, :envelope, :mailbox, :level, :code, :at, :jws) ON CONFLICT (id) DO NOTHING
-- name: add_heard_place
INSERT INTO heard_place (id, ix) VALUES (:id, :ix) ON CONFLICT (id) DO NOTHING
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
INSERT INTO obligation (id, thread, envelope, duty, state, step, next_at, kind, debtor, creditor, due)
VALUES (:id, :thread, :envelope, :duty, 'open', :step, :next_at, :kind, :debtor, :creditor, :due)
ON CONFLICT (id) DO UPDATE SET envelope = excluded.envelope, duty = excluded.duty, state = 'open', step = excluded.step,
  next_at = excluded.next_at, settled_at = NULL, settled_by = NULL, kind = excluded.kind, debtor = excluded.debtor,
  creditor = excluded.creditor, due = excluded.due
WHERE obligation.state = 'superseded'
-- name: open_in_thread
SELECT id, duty FROM obligation WHERE thread = :thread AND state = 'open'
-- name: owed_to
SELECT o.id, o.thread, o.envelope, o.duty, o.step, o.due, o.kind, o.debtor, o.creditor FROM obligation AS o
WHERE o.creditor = :mailbox AND o.state = 'open' AND o.kind = 'send'
  AND (EXISTS (SELECT 1 FROM holder AS h WHERE h.thread = o.thread AND h.mailbox = :mailbox AND h.person = :person)
       OR NOT EXISTS (SELECT 1 FROM holding AS h WHERE h.thread = o.thread AND h.mailbox = :mailbox
                      AND NOT (h.away_since <= :now AND h.away_until > :now)))
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = o.thread AND e.person = :excluded)
ORDER BY o.due LIMIT :limit
-- name: owed_by
SELECT o.id, o.thread, o.envelope, o.duty, o.step, o.due, o.kind, o.debtor, o.creditor FROM obligation AS o
WHERE o.debtor = :mailbox AND o.state = 'open'
  AND (EXISTS (SELECT 1 FROM holder AS h WHERE h.thread = o.thread AND h.mailbox = :mailbox AND h.person = :person)
       OR NOT EXISTS (SELECT 1 FROM holding AS h WHERE h.thread = o.thread AND h.mailbox = :mailbox
                      AND NOT (h.away_since <= :now AND h.away_until > :now)))
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = o.thread AND e.person = :excluded)
ORDER BY o.due LIMIT :limit
-- name: due_obligations
SELECT id, duty, step FROM obligation WHERE state = 'open' AND next_at <= :now ORDER BY next_at LIMIT :limit
-- name: advance_obligation
UPDATE obligation SET step = :step, next_at = :next_at WHERE id = :id
-- name: settle_obligation
UPDATE obligation SET state = :state, settled_at = :settled_at, settled_by = :settled_by WHERE id = :id AND state = 'open'
-- name: reopen_obligation
UPDATE obligation SET state = 'open', settled_at = NULL, settled_by = NULL, step = :step, next_at = :next_at WHERE id = :id
-- name: met_by
SELECT id, duty, settled_by FROM obligation WHERE settled_by = :settled_by AND state IN ('met', 'met_late')
UNION
SELECT id, duty, settled_by FROM obligation WHERE thread = :thread AND state IN ('met', 'met_late')
-- name: find_obligation
SELECT * FROM obligation WHERE id = :id
-- name: list_obligations
SELECT * FROM obligation ORDER BY next_at, id

-- name: add_notice
INSERT INTO notice (id, topic, code, mailbox, source, at, details, told)
VALUES (:id, :topic, :code, :mailbox, :source, :at, :details, 0) ON CONFLICT DO NOTHING
-- name: untold_notices
SELECT * FROM notice
WHERE told = 0
  AND NOT EXISTS (SELECT 1 FROM embargo
                  WHERE embargo.envelope = json_extract(CAST(notice.details AS TEXT), '$.envelope'))
  AND NOT EXISTS (SELECT 1 FROM embargo
                  WHERE notice.code = 'superseded'
                    AND embargo.supersedes = json_extract(CAST(notice.details AS TEXT), '$.envelope'))
ORDER BY at, id LIMIT :limit
-- name: set_told
UPDATE notice SET told = 1 WHERE id = :id
-- name: list_notices
SELECT * FROM notice ORDER BY at, id

-- name: add_unregistered
INSERT INTO unregistered (envelope, why, draft) VALUES (:envelope, :why, :draft)
-- name: unregistered
SELECT number, envelope FROM unregistered
WHERE NOT EXISTS (SELECT 1 FROM embargo WHERE embargo.envelope = unregistered.envelope)
ORDER BY number LIMIT :limit
-- name: find_unregistered
SELECT * FROM unregistered WHERE number = :number
-- name: drop_unregistered
DELETE FROM unregistered WHERE number = :number
-- name: register_again
INSERT INTO unregistered (envelope, why) SELECT DISTINCT envelope, 'again' FROM inbox WHERE content IS NOT NULL

-- name: add_chore
INSERT INTO chore (kind, ref, details) VALUES (:kind, :ref, :details) ON CONFLICT DO NOTHING
-- name: chores
SELECT * FROM chore WHERE kind <> 'follow-up' ORDER BY kind, ref LIMIT :limit
-- name: follow_ups
SELECT * FROM chore WHERE kind = 'follow-up' ORDER BY ref LIMIT :limit
-- name: unsent_in_thread
SELECT type FROM outbox
WHERE thread = :thread AND mailbox = :mailbox AND adapter <> :adapter AND state IN ('drafted', 'sealed')
-- name: drop_chore
DELETE FROM chore WHERE kind = :kind AND ref = :ref

-- name: add_deletion
INSERT INTO deletion (envelope, mailbox, at) VALUES (:envelope, :mailbox, :at) ON CONFLICT DO NOTHING
-- name: due_deletions
SELECT * FROM deletion WHERE at <= :now
  AND NOT EXISTS (SELECT 1 FROM inbox JOIN legal_hold AS l ON l.thread = inbox.thread AND l.envelope IN ('', inbox.envelope)
                  WHERE inbox.envelope = deletion.envelope)
  AND NOT EXISTS (SELECT 1 FROM outbox JOIN legal_hold AS l ON l.thread = outbox.thread AND l.envelope IN ('', outbox.envelope)
                  WHERE outbox.envelope = deletion.envelope)
ORDER BY at LIMIT :limit
-- name: delete_incoming
UPDATE inbox SET content = NULL,
  state = CASE WHEN state IN ('collected', 'waiting-person', 'embargoed') THEN 'deleted' ELSE state END
WHERE envelope = :envelope AND mailbox = :mailbox
-- name: drop_deletion
DELETE FROM deletion WHERE envelope = :envelope AND mailbox = :mailbox

-- name: add_legal_hold
INSERT INTO legal_hold (thread, envelope, at) VALUES (:thread, :envelope, :at) ON CONFLICT DO NOTHING
-- name: drop_legal_hold
DELETE FROM legal_hold WHERE thread = :thread AND envelope = :envelope
-- name: legal_holds_on
SELECT thread, envelope, at FROM legal_hold WHERE thread = :thread AND envelope IN ('', :envelope)
-- name: keep_back
INSERT INTO kept_back (thread, envelope, mailbox) VALUES (:thread, :envelope, :mailbox) ON CONFLICT DO NOTHING
-- name: kept_back
SELECT envelope, mailbox FROM kept_back WHERE thread = :thread
-- name: drop_kept_back
DELETE FROM kept_back WHERE thread = :thread AND envelope = :envelope AND mailbox = :mailbox

-- name: add_issued
INSERT INTO atrisk_issued (version, list, digest, expires_at, state, content)
VALUES (:version, :list, :digest, :expires_at, 'drafted', :content)
-- name: last_issued
SELECT * FROM atrisk_issued ORDER BY version DESC LIMIT 1
-- name: find_issued
SELECT * FROM atrisk_issued WHERE version = :version
-- name: list_issued
SELECT version, list, expires_at, state FROM atrisk_issued ORDER BY version
-- name: set_issued
UPDATE atrisk_issued SET state = 'current', envelope = :envelope, thread = :thread
WHERE version = :version AND state = 'drafted'
-- name: retire_issued
UPDATE atrisk_issued SET state = 'replaced', content = NULL WHERE version < :version AND state IN ('current', 'drafted')
-- name: withdraw_issued
UPDATE atrisk_issued SET state = 'withdrawn', content = NULL WHERE version = :version
-- name: drop_issued
DELETE FROM atrisk_issued WHERE version = :version AND state = 'drafted'
-- name: add_answer
INSERT INTO atrisk_answer (envelope, clinic, thread, version, points, at, content)
VALUES (:envelope, :clinic, :thread, :version, :points, :at, :content) ON CONFLICT DO NOTHING
-- name: find_answer
SELECT 1 FROM atrisk_answer WHERE envelope = :envelope
-- name: evaluated_points
SELECT coalesce(sum(points), 0) AS points FROM atrisk_answer WHERE version = :version AND clinic = :clinic
-- name: list_evaluated
SELECT version, clinic, sum(points) AS points FROM atrisk_answer GROUP BY version, clinic ORDER BY version, clinic
-- name: unsent_answers
SELECT * FROM atrisk_answer WHERE content IS NOT NULL ORDER BY at, envelope
-- name: forget_answers
DELETE FROM atrisk_answer WHERE version < :version AND content IS NULL
-- name: set_answer_sent
UPDATE atrisk_answer SET content = NULL WHERE envelope = :envelope

-- name: add_list
INSERT INTO atrisk_list (list, version, sender, thread, envelope, expires_at, loaded_at, state, acked, content)
VALUES (:list, :version, :sender, :thread, :envelope, :expires_at, :loaded_at, 'current', 0, :content)
-- name: find_list
SELECT * FROM atrisk_list WHERE list = :list AND version = :version
-- name: newest_list
SELECT * FROM atrisk_list ORDER BY loaded_at DESC, version DESC LIMIT 1
-- name: list_lists
SELECT list, version, sender, loaded_at, expires_at, state FROM atrisk_list ORDER BY loaded_at, version
-- name: retire_lists
UPDATE atrisk_list SET state = 'replaced', content = NULL WHERE state IN ('current', 'spent')
-- name: set_list_state
UPDATE atrisk_list SET state = :state WHERE list = :list AND version = :version
-- name: drop_list_content
UPDATE atrisk_list SET content = NULL WHERE list = :list AND version = :version
-- name: unacked_lists
SELECT * FROM atrisk_list WHERE acked = 0 ORDER BY version
-- name: set_acked
UPDATE atrisk_list SET acked = 1 WHERE list = :list AND version = :version
-- name: add_query
INSERT INTO atrisk_query (id, list, version, at, content) VALUES (:id, :list, :version, :at, :content)
ON CONFLICT DO NOTHING
-- name: has_query
SELECT 1 FROM atrisk_query WHERE id = :id
-- name: unsent_queries
SELECT * FROM atrisk_query WHERE envelope IS NULL AND content IS NOT NULL ORDER BY at
-- name: set_query_sent
UPDATE atrisk_query SET envelope = :envelope WHERE id = :id
-- name: find_query
SELECT * FROM atrisk_query WHERE envelope = :envelope
-- name: end_query
UPDATE atrisk_query SET content = NULL WHERE id = :id
-- name: end_queries
UPDATE atrisk_query SET content = NULL WHERE content IS NOT NULL
-- name: forget_queries
DELETE FROM atrisk_query WHERE at < :before
-- name: add_attendance
INSERT INTO atrisk_attendance (ref, at, month, state, late, content)
VALUES (:ref, :at, :month, :state, 0, :content)
ON CONFLICT (ref) DO UPDATE SET state = excluded.state, content = excluded.content
WHERE atrisk_attendance.state = 'unanswerable'
-- name: find_attendance
SELECT * FROM atrisk_attendance WHERE ref = :ref
-- name: find_at_risk_match
SELECT * FROM atrisk_attendance WHERE match = :match
-- name: unasked
SELECT ref, content FROM atrisk_attendance WHERE state = 'waiting' AND query IS NULL ORDER BY at, ref LIMIT :limit
-- name: waiting_since
SELECT 1 FROM atrisk_attendance WHERE state = 'waiting' AND at < :before LIMIT 1
-- name: set_asked
UPDATE atrisk_attendance SET query = :asked WHERE ref = :ref
-- name: unask
UPDATE atrisk_attendance SET query = NULL WHERE query = :asked AND state = 'waiting'
-- name: unask_all
UPDATE atrisk_attendance SET query = NULL WHERE state = 'waiting'
-- name: answer_attendance
UPDATE atrisk_attendance SET state = :state, late = :late, match = :match, content = :content, query = NULL
WHERE ref = :ref AND state = 'waiting'
-- name: known_attendances
SELECT * FROM atrisk_attendance WHERE state = 'known' AND content IS NOT NULL
-- name: set_attendance_content
UPDATE atrisk_attendance SET content = :content WHERE ref = :ref
-- name: give_up_attendances
UPDATE atrisk_attendance SET state = 'unanswerable', content = NULL, query = NULL
WHERE state = 'waiting' AND at < :before
-- name: forget_known
UPDATE atrisk_attendance SET content = NULL WHERE state = 'known' AND content IS NOT NULL AND at < :before
-- name: add_origin
INSERT INTO atrisk_origin (ref, adapter, told, content) VALUES (:ref, :adapter, '', :content)
ON CONFLICT (ref) DO UPDATE SET content = excluded.content
-- name: origin_of
SELECT a.*, o.told, o.content AS origin FROM atrisk_origin AS o JOIN atrisk_attendance AS a USING (ref) WHERE o.ref = :ref
-- name: untold_attendances
SELECT a.*, o.told, o.content AS origin FROM atrisk_origin AS o JOIN atrisk_attendance AS a USING (ref)
WHERE o.adapter = :adapter AND o.told <> a.state ORDER BY a.at, o.ref LIMIT :limit
-- name: set_origin_told
UPDATE atrisk_origin SET told = :told WHERE ref = :ref AND told = :before
-- name: untell_origin
UPDATE atrisk_origin SET told = '' WHERE ref = :ref
-- name: drop_origin
DELETE FROM atrisk_origin WHERE ref = :ref
-- name: forget_origins
DELETE FROM atrisk_origin WHERE ref IN (SELECT ref FROM atrisk_attendance WHERE at < :before)
-- name: set_identity
INSERT INTO atrisk_identity (ref, digest) VALUES (:ref, :digest) ON CONFLICT (ref) DO UPDATE SET digest = excluded.digest
-- name: find_identity
SELECT i.digest, a.query FROM atrisk_identity AS i JOIN atrisk_attendance AS a USING (ref) WHERE i.ref = :ref
-- name: drop_attendance
DELETE FROM atrisk_attendance WHERE ref = :ref
-- name: forget_identities
DELETE FROM atrisk_identity WHERE ref IN (SELECT ref FROM atrisk_attendance WHERE at < :before)
-- name: count_attendances
SELECT month, state, late, count(*) AS n FROM atrisk_attendance GROUP BY month, state, late ORDER BY month
