-- name: schema
CREATE TABLE IF NOT EXISTS claim (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, ix INTEGER NOT NULL, leaf BLOB NOT NULL, at INTEGER NOT NULL,
  envelope TEXT NOT NULL, thread TEXT NOT NULL, signed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claim_ix ON claim (ix);
CREATE TABLE IF NOT EXISTS proven (ix INTEGER PRIMARY KEY, at INTEGER NOT NULL, leaf BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS proven_at ON proven (at);
CREATE TABLE IF NOT EXISTS note (
  size INTEGER PRIMARY KEY, at INTEGER NOT NULL, text BLOB NOT NULL, carried INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS sighting (
  size INTEGER NOT NULL, root TEXT NOT NULL, mailbox TEXT NOT NULL, jws BLOB NOT NULL, PRIMARY KEY (size, root))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS expected (
  mailbox TEXT NOT NULL, ix INTEGER NOT NULL, envelope TEXT NOT NULL, until INTEGER NOT NULL, overtaken_by BLOB,
  PRIMARY KEY (mailbox, ix)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS expected_of ON expected (envelope);
CREATE INDEX IF NOT EXISTS expected_overtaken ON expected (ix) WHERE overtaken_by IS NOT NULL;
CREATE TABLE IF NOT EXISTS signed_directory (version INTEGER PRIMARY KEY, document BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS evidence (
  number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, sha256 TEXT NOT NULL, body BLOB NOT NULL,
  UNIQUE (kind, sha256));

-- name: add_claim
INSERT INTO claim (name, kind, ix, leaf, at, envelope, thread, signed)
VALUES (:name, :kind, :ix, :leaf, :at, :envelope, :thread, :signed) ON CONFLICT DO NOTHING
-- name: claims
SELECT * FROM claim ORDER BY ix LIMIT :limit
-- name: drop_claim
DELETE FROM claim WHERE name = :name
-- name: add_proven
INSERT INTO proven (ix, at, leaf) VALUES (:ix, :at, :leaf) ON CONFLICT DO NOTHING
-- name: proven_before
SELECT ix, at, leaf FROM proven WHERE ix < :ix ORDER BY ix DESC LIMIT 1
-- name: proven_after
SELECT ix, at, leaf FROM proven WHERE ix > :ix ORDER BY ix LIMIT 1
-- name: sweep_proven
DELETE FROM proven WHERE at < :before

-- name: add_note
INSERT INTO note (size, at, text) VALUES (:size, :at, :text) ON CONFLICT DO NOTHING
-- name: carry_note
UPDATE note SET carried = 1 WHERE size = :size AND carried = 0
-- name: find_note
SELECT text FROM note WHERE size = :size
-- name: notes
SELECT text FROM note ORDER BY size
-- name: sweep_notes
DELETE FROM note WHERE size < :size AND (carried = 0 OR at < :before)

-- name: add_sighting
INSERT INTO sighting (size, root, mailbox, jws) VALUES (:size, :root, :mailbox, :jws) ON CONFLICT DO NOTHING
-- name: sightings
SELECT * FROM sighting ORDER BY size LIMIT :limit
-- name: drop_sighting
DELETE FROM sighting WHERE size = :size AND root = :root

-- name: add_expected
INSERT INTO expected (mailbox, ix, envelope, until) VALUES (:mailbox, :ix, :envelope, :until) ON CONFLICT DO NOTHING
-- name: drop_expected
DELETE FROM expected WHERE envelope = :envelope AND mailbox = :mailbox
-- name: drop_expected_of
DELETE FROM expected WHERE envelope = :envelope
-- name: find_expected
SELECT ix FROM expected WHERE envelope = :envelope AND mailbox = :mailbox
-- name: overtake
UPDATE expected SET overtaken_by = :receipt
WHERE mailbox = :mailbox AND ix < :ix AND until > :now AND overtaken_by IS NULL
-- name: overtaken
SELECT mailbox, ix, envelope, overtaken_by FROM expected WHERE overtaken_by IS NOT NULL ORDER BY ix LIMIT :limit

-- name: heard_by
SELECT jws FROM heard WHERE envelope = :envelope AND mailbox = :mailbox

-- name: add_directory
INSERT INTO signed_directory (version, document) VALUES (:version, :document) ON CONFLICT DO NOTHING
-- name: directories
SELECT version, document FROM signed_directory ORDER BY version

-- name: add_evidence
INSERT INTO evidence (kind, sha256, body) SELECT :kind, :sha256, :body
WHERE (SELECT count(*) FROM evidence WHERE kind = :kind) < :most ON CONFLICT DO NOTHING
-- name: evidence
SELECT kind, body FROM evidence ORDER BY number
