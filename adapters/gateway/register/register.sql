-- name: schema
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS source (
  envelope TEXT PRIMARY KEY, mailbox TEXT NOT NULL, thread TEXT NOT NULL, supersedes TEXT, withdrawn INTEGER NOT NULL,
  live INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS source_supersedes ON source (supersedes) WHERE supersedes IS NOT NULL;
CREATE TABLE IF NOT EXISTS event (
  envelope TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, verb TEXT NOT NULL, key TEXT, own TEXT, part TEXT,
  child TEXT, told INTEGER NOT NULL, state TEXT, at INTEGER NOT NULL, due INTEGER, facts BLOB NOT NULL, details BLOB,
  PRIMARY KEY (envelope, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_key ON event (key);
CREATE INDEX IF NOT EXISTS event_child ON event (child) WHERE child IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_part ON event (part) WHERE part IS NOT NULL;
CREATE TABLE IF NOT EXISTS entry (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, child TEXT, own TEXT, state TEXT NOT NULL, ended INTEGER NOT NULL,
  at INTEGER NOT NULL, opened INTEGER NOT NULL, due INTEGER, facts BLOB NOT NULL, envelope TEXT NOT NULL,
  thread TEXT NOT NULL, mailbox TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_child ON entry (child);
CREATE INDEX IF NOT EXISTS entry_kind ON entry (kind, ended);
CREATE INDEX IF NOT EXISTS source_thread ON source (thread);
CREATE TABLE IF NOT EXISTS child (
  id TEXT PRIMARY KEY, same_as TEXT NOT NULL, at INTEGER NOT NULL, identity BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS child_same_as ON child (same_as);
CREATE TABLE IF NOT EXISTS mark (
  digest TEXT NOT NULL, child TEXT NOT NULL, sort TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (digest, child, sort)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS mark_child ON mark (child);
CREATE TABLE IF NOT EXISTS pair (
  a TEXT NOT NULL, b TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, first TEXT,
  first_role TEXT, second TEXT, second_role TEXT, parted TEXT, parted_role TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (child TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (at, child)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS look_of_child ON look (child, at);
CREATE TABLE IF NOT EXISTS alert (
  key TEXT PRIMARY KEY, at INTEGER NOT NULL, told INTEGER NOT NULL, mailbox TEXT NOT NULL, alert BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_waiting ON alert (at) WHERE told = 0;

-- name: set_fact
INSERT INTO fact (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value
-- name: find_fact
SELECT value FROM fact WHERE name = :name

-- name: add_source
INSERT INTO source (envelope, mailbox, thread, supersedes, withdrawn, live)
VALUES (:envelope, :mailbox, :thread, :supersedes, :withdrawn, 1) ON CONFLICT DO NOTHING
-- name: find_source
SELECT * FROM source WHERE envelope = :envelope
-- name: set_withdrawn
UPDATE source SET withdrawn = 1 WHERE envelope = :envelope
-- name: set_live
UPDATE source SET live = :live WHERE envelope = :envelope
-- name: drop_source
DELETE FROM source WHERE envelope = :envelope
-- name: is_superseded
WITH RECURSIVE later (envelope) AS (
  SELECT envelope FROM source WHERE supersedes = :envelope AND thread = :thread
  UNION SELECT source.envelope FROM source JOIN later ON source.supersedes = later.envelope AND source.thread = :thread)
SELECT 1 FROM later JOIN source USING (envelope) WHERE withdrawn = 0 LIMIT 1

-- name: add_event
INSERT INTO event (envelope, number, kind, verb, key, own, part, child, told, state, at, due, facts, details)
VALUES (:envelope, :number, :kind, :verb, :key, :own, :part, :child, :told, :state, :at, :due, :facts, :details)
-- name: events_in
SELECT number, kind, key, own, part, child, told FROM event WHERE envelope = :envelope ORDER BY number
-- name: children_in
SELECT DISTINCT child.same_as AS child FROM event JOIN child ON child.id = event.child WHERE event.envelope = :envelope
-- name: drop_events
DELETE FROM event WHERE envelope = :envelope
-- name: set_event_child
UPDATE event SET child = :child, key = :key WHERE envelope = :envelope AND number = :number
-- name: part_of
SELECT part FROM event WHERE key = :key AND part IS NOT NULL LIMIT 1
-- name: keys_of_part
SELECT DISTINCT key FROM event WHERE part = :part AND key IS NOT NULL
-- name: events_of
SELECT event.*, source.thread, source.mailbox FROM event JOIN source USING (envelope)
WHERE source.live = 1 AND (event.key = :key OR (event.part = :part AND event.key IS NULL))
-- name: every_key
SELECT DISTINCT key FROM event WHERE key IS NOT NULL
-- name: untold_beside
SELECT envelope, thread FROM source
WHERE thread = :thread AND EXISTS (SELECT 1 FROM event WHERE event.envelope = source.envelope AND event.told = 0)
UNION SELECT source.envelope, source.thread FROM event AS mine JOIN event ON event.key = mine.key
JOIN source ON source.envelope = event.envelope WHERE mine.envelope = :envelope AND event.told = 0
-- name: told_by_key
SELECT min(event.child) AS child FROM event JOIN source USING (envelope) JOIN child ON child.id = event.child
WHERE source.live = 1 AND event.told = 1
  AND event.key IN (SELECT key FROM event WHERE envelope = :envelope AND key IS NOT NULL AND own IS NULL)
GROUP BY child.same_as
-- name: told_in_thread
SELECT min(event.child) AS child FROM source JOIN event USING (envelope) JOIN child ON child.id = event.child
WHERE source.live = 1 AND event.told = 1 AND source.thread = :thread GROUP BY child.same_as
-- name: threads_of
SELECT DISTINCT source.thread, source.envelope FROM event JOIN source USING (envelope) JOIN child ON child.id = event.child
WHERE child.same_as IN (:one, :other)

-- name: set_entry
INSERT INTO entry (key, kind, child, own, state, ended, at, opened, due, facts, envelope, thread, mailbox)
VALUES (:key, :kind, :child, :own, :state, :ended, :at, :opened, :due, :facts, :envelope, :thread, :mailbox)
ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, child = excluded.child, own = excluded.own,
  state = excluded.state, ended = excluded.ended, at = excluded.at, opened = excluded.opened, due = excluded.due,
  facts = excluded.facts, envelope = excluded.envelope, thread = excluded.thread, mailbox = excluded.mailbox
-- name: drop_entry
DELETE FROM entry WHERE key = :key
-- name: drop_entries
DELETE FROM entry
-- name: entries_of
SELECT entry.* FROM entry JOIN child ON child.id = entry.child WHERE child.same_as = :child
-- name: entries_in_thread
SELECT DISTINCT entry.* FROM entry JOIN event USING (key) JOIN source ON source.envelope = event.envelope
WHERE source.thread = :thread AND source.live = 1
-- name: details_of
SELECT event.envelope, event.number, event.at, event.details FROM event JOIN source USING (envelope)
WHERE source.live = 1 AND event.key = :key AND event.details IS NOT NULL ORDER BY event.at, event.envelope, event.number
-- name: children_with
SELECT DISTINCT child.same_as AS child FROM entry JOIN child ON child.id = entry.child
WHERE entry.kind = :kind ORDER BY child.same_as

-- name: add_child
INSERT INTO child (id, same_as, at, identity) VALUES (:id, :id, :at, :identity)
-- name: find_child
SELECT * FROM child WHERE id = :id
-- name: set_identity
UPDATE child SET identity = :identity WHERE id = :id
-- name: set_same_as
UPDATE child SET same_as = :same_as WHERE id = :id
-- name: same_as
SELECT id, identity FROM child WHERE same_as = :child ORDER BY id
-- name: add_mark
INSERT INTO mark (digest, child, sort, at) VALUES (:digest, :child, :sort, :at)
ON CONFLICT DO UPDATE SET at = max(at, excluded.at)
-- name: marked
SELECT mark.child, child.same_as, mark.sort FROM mark JOIN child ON child.id = mark.child
WHERE mark.digest = :digest ORDER BY mark.at DESC, mark.child DESC
-- name: marks_of
SELECT DISTINCT mark.digest FROM mark JOIN child ON child.id = mark.child
WHERE child.same_as = :child AND mark.sort = :sort

-- name: add_pair
INSERT INTO pair (a, b, why, at, state) VALUES (:a, :b, :why, :at, 'candidate') ON CONFLICT DO NOTHING
-- name: find_pair
SELECT * FROM pair WHERE a = :a AND b = :b
-- name: set_pair
UPDATE pair SET state = :state, first = :first, first_role = :first_role, second = :second, second_role = :second_role,
  parted = :parted, parted_role = :parted_role
WHERE a = :a AND b = :b
-- name: list_candidates
SELECT pair.*, one.same_as AS one, other.same_as AS other FROM pair
JOIN child AS one ON one.id = pair.a JOIN child AS other ON other.id = pair.b
WHERE pair.state = 'candidate' AND one.same_as <> other.same_as ORDER BY pair.at, pair.a, pair.b
-- name: merged_among
SELECT a, b FROM pair WHERE state = 'merged'
  AND a IN (SELECT id FROM child WHERE same_as IN (:one, :other))
  AND b IN (SELECT id FROM child WHERE same_as IN (:one, :other))

-- name: add_look
INSERT INTO look (child, at) VALUES (:child, :at) ON CONFLICT DO NOTHING
-- name: look_at_all
INSERT INTO look (child, at) SELECT id, :at FROM child WHERE same_as = id ON CONFLICT DO NOTHING
-- name: due_looks
SELECT child FROM look WHERE at <= :now ORDER BY at, child LIMIT :limit
-- name: drop_looks
DELETE FROM look WHERE child = :child AND at <= :now

-- name: add_alert
INSERT INTO alert (key, at, told, mailbox, alert) VALUES (:key, :at, 0, :mailbox, :alert) ON CONFLICT DO NOTHING
-- name: waiting_alerts
SELECT key, mailbox, alert FROM alert WHERE told = 0 ORDER BY at, key LIMIT :limit
-- name: set_told
UPDATE alert SET told = 1, alert = x'' WHERE key = :key
