-- name: schema
CREATE TABLE IF NOT EXISTS person (
  id TEXT PRIMARY KEY, login TEXT NOT NULL UNIQUE, subject TEXT UNIQUE, state TEXT NOT NULL, password TEXT,
  version INTEGER NOT NULL DEFAULT 1, at INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS person_duty (person TEXT NOT NULL, duty TEXT NOT NULL, PRIMARY KEY (person, duty)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS person_team (person TEXT NOT NULL, mailbox TEXT NOT NULL, PRIMARY KEY (person, mailbox)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS team_members ON person_team (mailbox);
CREATE TABLE IF NOT EXISTS person_away (
  person TEXT PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL, cover TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
  token TEXT PRIMARY KEY, person TEXT NOT NULL, csrf TEXT NOT NULL, at INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_of ON session (person);
CREATE TABLE IF NOT EXISTS sign_in_count (
  who TEXT PRIMARY KEY, failed INTEGER NOT NULL, locked_until INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sign_in_count_at ON sign_in_count (at);
CREATE TABLE IF NOT EXISTS sign_in_step (
  token TEXT PRIMARY KEY, kind TEXT NOT NULL, until INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sign_in_step_until ON sign_in_step (until);
CREATE TABLE IF NOT EXISTS known_browser (token TEXT PRIMARY KEY, person TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS known_browser_of ON known_browser (person);
CREATE TABLE IF NOT EXISTS welcome (code TEXT PRIMARY KEY, person TEXT NOT NULL UNIQUE, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passkey (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, key BLOB NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL,
  used INTEGER, content BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS passkey_of ON passkey (person);
CREATE TABLE IF NOT EXISTS holder (
  thread TEXT NOT NULL, mailbox TEXT NOT NULL, person TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL,
  PRIMARY KEY (thread, mailbox, person)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_by ON holder (person);
CREATE VIEW IF NOT EXISTS holding AS
  SELECT h.thread, h.mailbox, h.person, coalesce(a.since, 0) AS away_since, coalesce(a.until, 0) AS away_until
  FROM holder AS h JOIN person AS p ON p.id = h.person AND p.state = 'active'
  LEFT JOIN person_away AS a ON a.person = h.person;
CREATE TABLE IF NOT EXISTS glass (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, thread TEXT NOT NULL, mailbox TEXT NOT NULL, at INTEGER NOT NULL,
  until INTEGER NOT NULL, reason TEXT NOT NULL, reviewer TEXT, reviewed_at INTEGER, verdict TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS glass_of ON glass (person, thread, mailbox);
CREATE INDEX IF NOT EXISTS glass_unreviewed ON glass (at) WHERE reviewer IS NULL;
CREATE TABLE IF NOT EXISTS access_event (
  number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, person TEXT NOT NULL, action TEXT NOT NULL,
  thread TEXT, envelope TEXT, mailbox TEXT, code TEXT, about TEXT);
CREATE INDEX IF NOT EXISTS access_event_of ON access_event (thread);
CREATE TABLE IF NOT EXISTS saved (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, mailbox TEXT NOT NULL, type TEXT NOT NULL, thread TEXT, at INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 1, envelope TEXT, content BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS saved_of ON saved (person, at);
CREATE TABLE IF NOT EXISTS saved_document (
  draft TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY (draft, number));

-- name: add_saved
INSERT INTO saved (id, person, mailbox, type, thread, at, content) VALUES (:id, :person, :mailbox, :type, :thread, :at, :content)
-- name: find_saved
SELECT * FROM saved WHERE id = :id
-- name: list_saved
SELECT id, mailbox, type, thread, at FROM saved WHERE person = :person AND envelope IS NULL ORDER BY at DESC
-- name: save_saved
UPDATE saved SET content = :content, at = :at, version = version + 1
WHERE id = :id AND version = :version AND envelope IS NULL
-- name: end_saved
UPDATE saved SET envelope = :envelope, thread = :thread, content = :content, version = version + 1 WHERE id = :id
-- name: drop_saved
DELETE FROM saved WHERE id = :id
-- name: add_saved_document
INSERT INTO saved_document (draft, number, size, content) VALUES (:draft, :number, :size, :content)
-- name: list_saved_documents
SELECT number, size FROM saved_document WHERE draft = :draft ORDER BY number
-- name: read_saved_documents
SELECT number, content FROM saved_document WHERE draft = :draft ORDER BY number
-- name: drop_saved_document
DELETE FROM saved_document WHERE draft = :draft AND number = :number
-- name: drop_saved_documents
DELETE FROM saved_document WHERE draft = :draft

-- name: add_person
INSERT INTO person (id, login, subject, state, password, at, content)
VALUES (:id, :login, NULL, 'active', :password, :at, :content) ON CONFLICT DO NOTHING
-- name: set_person
UPDATE person SET content = :content, version = version + 1 WHERE id = :id
-- name: find_person
SELECT * FROM person WHERE id = :id
-- name: find_login
SELECT * FROM person WHERE login = :login
-- name: list_people
SELECT * FROM person ORDER BY at, id
-- name: list_members
SELECT person.* FROM person_team JOIN person ON person.id = person_team.person WHERE person_team.mailbox = :mailbox ORDER BY person.at, person.id
-- name: set_person_state
UPDATE person SET state = :state, version = version + 1 WHERE id = :id
-- name: set_password
UPDATE person SET password = :password WHERE id = :id
-- name: find_subject
SELECT * FROM person WHERE subject = :subject
-- name: pin_subject
UPDATE person SET subject = :subject WHERE id = :id AND subject IS NULL
-- name: drop_subject
UPDATE person SET subject = NULL WHERE id = :id
-- name: find_administrator
SELECT person.id FROM person JOIN person_duty AS d ON d.person = person.id
WHERE d.duty = 'administrator' AND person.state = 'active' LIMIT 1
-- name: duties_of
SELECT duty FROM person_duty WHERE person = :person ORDER BY duty
-- name: add_duty
INSERT INTO person_duty (person, duty) VALUES (:person, :duty) ON CONFLICT DO NOTHING
-- name: drop_duties
DELETE FROM person_duty WHERE person = :person
-- name: teams_of
SELECT mailbox FROM person_team WHERE person = :person ORDER BY mailbox
-- name: add_team
INSERT INTO person_team (person, mailbox) VALUES (:person, :mailbox) ON CONFLICT DO NOTHING
-- name: drop_teams
DELETE FROM person_team WHERE person = :person

-- name: set_away
INSERT INTO person_away (person, since, until, cover) VALUES (:person, :since, :until, :cover)
ON CONFLICT (person) DO UPDATE SET since = excluded.since, until = excluded.until, cover = excluded.cover
-- name: drop_away
DELETE FROM person_away WHERE person = :person
-- name: find_away
SELECT * FROM person_away WHERE person = :person

-- name: add_session
INSERT INTO session (token, person, csrf, at, seen) VALUES (:token, :person, :csrf, :at, :at)
-- name: find_session
SELECT * FROM session WHERE token = :token
-- name: see_session
UPDATE session SET seen = :seen WHERE token = :token
-- name: drop_session
DELETE FROM session WHERE token = :token
-- name: drop_own_session
DELETE FROM session WHERE token = :token AND person = :person
-- name: drop_sessions
DELETE FROM session WHERE person = :person
-- name: drop_other_sessions
DELETE FROM session WHERE person = :person AND token <> :token
-- name: list_sessions
SELECT token, at, seen FROM session WHERE person = :person AND seen >= :idle AND at >= :oldest ORDER BY seen DESC
-- name: expire_sessions
DELETE FROM session WHERE seen < :idle OR at < :oldest

-- name: find_count
SELECT * FROM sign_in_count WHERE who = :who
-- name: set_count
INSERT INTO sign_in_count (who, failed, locked_until, at) VALUES (:who, :failed, :locked_until, :at)
ON CONFLICT (who) DO UPDATE SET failed = excluded.failed, locked_until = excluded.locked_until, at = excluded.at
-- name: drop_count
DELETE FROM sign_in_count WHERE who = :who
-- name: expire_counts
DELETE FROM sign_in_count WHERE at < :before

-- name: add_step
INSERT INTO sign_in_step (token, kind, until, content) VALUES (:token, :kind, :until, :content)
-- name: find_step
SELECT * FROM sign_in_step WHERE token = :token AND kind = :kind AND until > :now
-- name: set_step
UPDATE sign_in_step SET content = :content WHERE token = :token AND kind = :kind
-- name: drop_step
DELETE FROM sign_in_step WHERE token = :token
-- name: expire_steps
DELETE FROM sign_in_step WHERE until <= :now
-- name: limit_steps
DELETE FROM sign_in_step WHERE token IN (SELECT token FROM sign_in_step ORDER BY until DESC LIMIT -1 OFFSET :most)

-- name: add_known_browser
INSERT INTO known_browser (token, person, at) VALUES (:token, :person, :at)
-- name: find_known_browser
SELECT * FROM known_browser WHERE token = :token AND person = :person AND at >= :oldest
-- name: drop_known_browsers
DELETE FROM known_browser WHERE person = :person
-- name: expire_known_browsers
DELETE FROM known_browser WHERE at < :oldest

-- name: set_welcome
INSERT INTO welcome (code, person, until) VALUES (:code, :person, :until)
ON CONFLICT (person) DO UPDATE SET code = excluded.code, until = excluded.until
-- name: find_welcome
SELECT person FROM welcome WHERE code = :code AND until > :now
-- name: drop_welcome
DELETE FROM welcome WHERE person = :person

-- name: add_passkey
INSERT INTO passkey (id, person, key, count, at, content) VALUES (:id, :person, :key, :count, :at, :content)
ON CONFLICT DO NOTHING
-- name: find_passkey
SELECT passkey.*, person.state FROM passkey JOIN person ON person.id = passkey.person WHERE passkey.id = :id
-- name: list_passkeys
SELECT * FROM passkey WHERE person = :person ORDER BY at, id
-- name: use_passkey
UPDATE passkey SET count = :count, used = :at WHERE id = :id
-- name: drop_passkey
DELETE FROM passkey WHERE id = :id AND person = :person
-- name: drop_passkeys
DELETE FROM passkey WHERE person = :person

-- name: add_holder
INSERT INTO holder (thread, mailbox, person, at, by) VALUES (:thread, :mailbox, :person, :at, :by) ON CONFLICT DO NOTHING
-- name: drop_holder
DELETE FROM holder WHERE thread = :thread AND mailbox = :mailbox AND person = :person
-- name: drop_holders
DELETE FROM holder WHERE thread = :thread AND mailbox = :mailbox
-- name: drop_held
DELETE FROM holder WHERE person = :person
-- name: holders_here
SELECT h.person, p.state = 'active' AND a.person IS NULL AS present
FROM holder AS h JOIN person AS p ON p.id = h.person
LEFT JOIN person_away AS a ON a.person = h.person AND a.since <= :now AND a.until > :now
WHERE h.thread = :thread AND h.mailbox = :mailbox
-- name: holding_decided
SELECT 1 FROM holder WHERE thread = :thread AND mailbox = :mailbox
UNION ALL SELECT 1 FROM access_event WHERE thread = :thread AND mailbox = :mailbox
  AND action IN ('taken', 'released', 'assigned', 'unassigned') LIMIT 1
-- name: held_by
SELECT thread, mailbox, at FROM holder WHERE person = :person ORDER BY at DESC

-- name: add_glass
INSERT INTO glass (id, person, thread, mailbox, at, until, reason)
VALUES (:id, :person, :thread, :mailbox, :at, :until, :reason)
-- name: open_glass
SELECT id, until FROM glass WHERE person = :person AND thread = :thread AND mailbox = :mailbox AND until > :now
ORDER BY until DESC LIMIT 1
-- name: unreviewed_glass
SELECT * FROM glass WHERE reviewer IS NULL ORDER BY at LIMIT :limit
-- name: find_glass
SELECT * FROM glass WHERE id = :id
-- name: review_glass
UPDATE glass SET reviewer = :reviewer, reviewed_at = :at, verdict = :verdict WHERE id = :id AND reviewer IS NULL

-- name: add_access_event
INSERT INTO access_event (at, person, action, thread, envelope, mailbox, code, about)
VALUES (:at, :person, :action, :thread, :envelope, :mailbox, :code, :about)
-- name: events_in
SELECT * FROM access_event WHERE thread = :thread ORDER BY number
-- name: last_events
SELECT * FROM access_event ORDER BY number DESC LIMIT :limit
