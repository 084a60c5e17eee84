-- name: schema
CREATE TABLE IF NOT EXISTS guest (
  id TEXT PRIMARY KEY, mailbox TEXT NOT NULL, email TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL,
  step INTEGER NOT NULL DEFAULT 0, content BLOB NOT NULL, UNIQUE (mailbox, email)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS guest_link (
  id TEXT PRIMARY KEY, guest TEXT NOT NULL, envelope TEXT NOT NULL, mailbox TEXT NOT NULL, thread TEXT NOT NULL,
  token TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, until INTEGER NOT NULL, by TEXT, state TEXT NOT NULL,
  wrong INTEGER NOT NULL DEFAULT 0, mail TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL,
  content BLOB) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS guest_link_one ON guest_link (guest, envelope) WHERE state IN ('open', 'used');
CREATE INDEX IF NOT EXISTS guest_link_of ON guest_link (guest, envelope);
CREATE INDEX IF NOT EXISTS guest_link_mail ON guest_link (next_at) WHERE mail = 'waiting';
CREATE TABLE IF NOT EXISTS guest_code (link TEXT PRIMARY KEY, digest TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS guest_visit (
  token TEXT PRIMARY KEY, link TEXT NOT NULL, csrf TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS guest_readable AS
  SELECT g.id AS guest, i.envelope, i.mailbox, i.thread, i.attention, i.accepted_at
  FROM guest AS g JOIN inbox AS i ON i.mailbox = g.mailbox
  WHERE g.state = 'active' AND i.content IS NOT NULL AND i.attention <> 'replaced'
    AND i.state NOT IN ('rejected', 'destroyed', 'deleted', 'embargoed')
    AND NOT EXISTS (SELECT 1 FROM notice AS n WHERE n.topic = 'destroy:' || i.envelope || ':' || i.mailbox);

-- name: add_guest
INSERT INTO guest (id, mailbox, email, state, at, content) VALUES (:id, :mailbox, :email, 'active', :at, :content)
ON CONFLICT DO NOTHING
-- name: set_guest
UPDATE guest SET state = :state, content = :content WHERE id = :id
-- name: set_guest_step
UPDATE guest SET step = :step WHERE id = :id
-- name: find_guest
SELECT * FROM guest WHERE id = :id
-- name: find_guest_at
SELECT * FROM guest WHERE mailbox = :mailbox AND email = :email
-- name: list_guests
SELECT * FROM guest ORDER BY mailbox, at, id

-- name: guests_to_invite
SELECT r.guest, r.envelope, r.mailbox, r.thread FROM guest_readable AS r
WHERE r.attention IN ('new', 'opened')
  AND NOT EXISTS (SELECT 1 FROM guest_link AS l WHERE l.guest = r.guest AND l.envelope = r.envelope AND l.state <> 'ended')
ORDER BY r.accepted_at, r.guest LIMIT :limit
-- name: guest_may_read
SELECT * FROM guest_readable WHERE guest = :guest AND envelope = :envelope
-- name: add_guest_link
INSERT INTO guest_link (id, guest, envelope, mailbox, thread, token, at, until, by, state, mail, next_at, content)
VALUES (:id, :guest, :envelope, :mailbox, :thread, :token, :at, :until, :by, :state, :mail, :at, :content)
-- name: find_guest_link
SELECT * FROM guest_link WHERE id = :id
-- name: find_guest_token
SELECT * FROM guest_link WHERE token = :token
-- name: guest_links_to
SELECT * FROM guest_link WHERE guest = :guest AND envelope = :envelope ORDER BY at, id
-- name: guest_links_now
SELECT l.* FROM guest_link AS l JOIN guest AS g ON g.id = l.guest AND g.state = 'active'
WHERE l.state <> 'done' AND l.at >= :since
  AND NOT EXISTS (SELECT 1 FROM guest_link AS n WHERE n.guest = l.guest AND n.envelope = l.envelope AND (n.at, n.id) > (l.at, l.id))
ORDER BY l.at DESC, l.id LIMIT :limit
-- name: guest_links_over
SELECT * FROM guest_link WHERE state IN ('open', 'used') AND until <= :now ORDER BY until LIMIT :limit
-- name: guest_links_dead
SELECT * FROM guest_link AS l WHERE l.state IN ('open', 'used')
  AND NOT EXISTS (SELECT 1 FROM guest_readable AS r WHERE r.guest = l.guest AND r.envelope = l.envelope) LIMIT :limit
-- name: guest_links_open
SELECT * FROM guest_link WHERE guest = :guest AND state IN ('open', 'used')
-- name: end_guest_link
UPDATE guest_link SET state = :state, content = NULL, mail = CASE mail WHEN 'waiting' THEN 'gone' ELSE mail END
WHERE id = :id AND state IN ('open', 'used')
-- name: use_guest_link
UPDATE guest_link SET state = 'used', until = :until WHERE id = :id AND state = 'open'
-- name: count_wrong_code
UPDATE guest_link SET wrong = wrong + 1 WHERE id = :id
-- name: due_guest_mails
SELECT * FROM guest_link WHERE mail = 'waiting' AND state = 'open' AND next_at <= :now ORDER BY next_at, id LIMIT :limit
-- name: set_guest_mail
UPDATE guest_link SET mail = :mail, tries = :tries, next_at = :next_at,
  content = CASE :mail WHEN 'waiting' THEN content END
WHERE id = :id AND mail = 'waiting'
-- name: forget_guest_links
DELETE FROM guest_link WHERE state NOT IN ('open', 'used') AND at < :before
  AND NOT EXISTS (SELECT 1 FROM guest_readable AS r WHERE r.guest = guest_link.guest AND r.envelope = guest_link.envelope)

-- name: set_guest_code
INSERT INTO guest_code (link, digest, until) VALUES (:link, :digest, :until)
ON CONFLICT (link) DO UPDATE SET digest = excluded.digest, until = excluded.until
-- name: find_guest_code
SELECT digest FROM guest_code WHERE link = :link AND until > :now
-- name: drop_guest_code
DELETE FROM guest_code WHERE link = :link
-- name: add_guest_visit
INSERT INTO guest_visit (token, link, csrf, until) VALUES (:token, :link, :csrf, :until)
-- name: find_guest_visit
SELECT * FROM guest_visit WHERE token = :token AND until > :now
-- name: drop_guest_visits
DELETE FROM guest_visit WHERE link = :link
-- name: expire_guest_visits
DELETE FROM guest_visit WHERE until <= :now
-- name: expire_guest_codes
DELETE FROM guest_code WHERE until <= :now
