-- name: schema
CREATE TABLE IF NOT EXISTS tell_place (source TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tell_item (
  number INTEGER PRIMARY KEY AUTOINCREMENT, person TEXT NOT NULL, topic TEXT NOT NULL, at INTEGER NOT NULL,
  severity TEXT NOT NULL, message TEXT, UNIQUE (person, topic));
CREATE INDEX IF NOT EXISTS tell_item_waiting ON tell_item (person) WHERE message IS NULL;
CREATE TABLE IF NOT EXISTS tell_about (topic TEXT PRIMARY KEY, mailbox TEXT, thread TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tell_message (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, channel TEXT NOT NULL, target TEXT NOT NULL, items INTEGER NOT NULL,
  urgent INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tell_message_due ON tell_message (next_at) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS tell_choice (
  person TEXT PRIMARY KEY, email INTEGER NOT NULL, digest_only INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tell_push (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, at INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tell_push_of ON tell_push (person);

-- name: tell_place_of
SELECT at FROM tell_place WHERE source = :source
-- name: set_tell_place
INSERT INTO tell_place (source, at) VALUES (:source, :at) ON CONFLICT (source) DO UPDATE SET at = excluded.at
-- name: last_of_arrived
SELECT coalesce(max(number), 0) AS at FROM receipt
-- name: last_of_noticed
SELECT coalesce(max(rowid), 0) AS at FROM notice
-- name: arrived_after
SELECT receipt.number AS at, receipt.envelope, receipt.mailbox, inbox.thread, inbox.header
FROM receipt JOIN inbox ON inbox.envelope = receipt.envelope AND inbox.mailbox = receipt.mailbox
WHERE receipt.number > :after AND receipt.level = 'collected' ORDER BY receipt.number LIMIT :limit
-- name: noticed_after
SELECT rowid AS at, id, code, mailbox, topic, details FROM notice WHERE rowid > :after ORDER BY rowid LIMIT :limit
-- name: members_to_tell
SELECT p.id, a.cover, h.person IS NOT NULL AS holds, a.person IS NOT NULL AS is_away
FROM person_team AS t JOIN person AS p ON p.id = t.person AND p.state = 'active'
LEFT JOIN person_away AS a ON a.person = p.id AND a.since <= :now AND a.until > :now
LEFT JOIN holder AS h ON h.person = p.id AND h.thread = :thread AND h.mailbox = t.mailbox
WHERE t.mailbox = :mailbox
  AND EXISTS (SELECT 1 FROM person_duty AS d WHERE d.person = p.id AND d.duty IN ('practitioner', 'manager'))
-- name: reviewers_to_tell
SELECT p.id FROM person AS p JOIN person_duty AS d ON d.person = p.id AND d.duty = 'reviewer' WHERE p.state = 'active'
-- name: add_tell_item
INSERT INTO tell_item (person, topic, at, severity) VALUES (:person, :topic, :at, :severity) ON CONFLICT DO NOTHING
-- name: add_tell_about
INSERT INTO tell_about (topic, mailbox, thread) VALUES (:topic, :mailbox, :thread) ON CONFLICT DO NOTHING
-- name: tell_waiting
SELECT person, count(*) AS items, min(at) AS oldest, max(severity = 'urgent') AS urgent, max(severity = 'at_once') AS soon
FROM tell_item WHERE message IS NULL GROUP BY person
-- name: tell_items_of
SELECT i.number, i.topic, i.at, i.severity, a.mailbox, a.thread
FROM tell_item AS i JOIN tell_about AS a ON a.topic = i.topic WHERE i.person = :person AND i.message IS NULL
-- name: move_tell_item
UPDATE tell_item SET message = '' WHERE number = :number
-- name: bind_tell_items
UPDATE tell_item SET message = :message WHERE person = :person AND message IS NULL
-- name: add_tell_message
INSERT INTO tell_message (id, person, channel, target, items, urgent, at, state, next_at)
VALUES (:id, :person, :channel, :target, :items, :urgent, :at, 'waiting', :at)
-- name: due_tell_messages
SELECT * FROM tell_message WHERE state = 'waiting' AND next_at <= :now ORDER BY urgent DESC, next_at LIMIT :limit
-- name: postpone_tell_message
UPDATE tell_message SET next_at = :next_at WHERE id = :id AND state = 'waiting'
-- name: set_tell_message
UPDATE tell_message SET state = :state, tries = :tries, next_at = :next_at WHERE id = :id AND state = 'waiting'
-- name: forget_told
DELETE FROM tell_message WHERE state <> 'waiting' AND at < :before
-- name: tell_choice_of
SELECT * FROM tell_choice WHERE person = :person
-- name: set_tell_choice
INSERT INTO tell_choice (person, email, digest_only) VALUES (:person, :email, :digest_only)
ON CONFLICT (person) DO UPDATE SET email = excluded.email, digest_only = excluded.digest_only
-- name: add_tell_push
INSERT INTO tell_push (id, person, at, content) VALUES (:id, :person, :at, :content)
ON CONFLICT (id) DO UPDATE SET person = excluded.person, at = excluded.at, content = excluded.content
-- name: list_tell_push
SELECT * FROM tell_push WHERE person = :person ORDER BY at
-- name: find_tell_push
SELECT * FROM tell_push WHERE id = :id
-- name: drop_tell_push
DELETE FROM tell_push WHERE id = :id
-- name: drop_tell_pushes
DELETE FROM tell_push WHERE person = :person
