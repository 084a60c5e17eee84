-- name: schema
CREATE TABLE IF NOT EXISTS indexed (
  number INTEGER PRIMARY KEY, envelope TEXT NOT NULL, mailbox TEXT NOT NULL, thread TEXT NOT NULL, type TEXT NOT NULL,
  sender TEXT NOT NULL, at INTEGER NOT NULL, sent INTEGER NOT NULL, words BLOB NOT NULL, UNIQUE (envelope, mailbox));
CREATE INDEX IF NOT EXISTS indexed_sent ON indexed (at) WHERE sent = 1;
CREATE TABLE IF NOT EXISTS word (digest TEXT NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (digest, item)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS inbox_unindexed ON inbox (accepted_at) WHERE indexed = 0 AND content IS NOT NULL;
-- No words without what they are words of, whoever drops it.
CREATE TRIGGER IF NOT EXISTS words_go AFTER DELETE ON indexed
  BEGIN DELETE FROM word WHERE item = OLD.number AND digest IN (SELECT value FROM json_each(OLD.words)); END;
CREATE TRIGGER IF NOT EXISTS received_words_go AFTER UPDATE OF content ON inbox WHEN NEW.content IS NULL
  BEGIN DELETE FROM indexed WHERE envelope = NEW.envelope AND mailbox = NEW.mailbox; END;
CREATE TRIGGER IF NOT EXISTS sent_words_go AFTER UPDATE OF state ON outbox WHEN NEW.state IN ('withdrawn', 'refused')
  BEGIN DELETE FROM indexed WHERE envelope = NEW.envelope AND sent = 1; END;

-- name: unindexed
SELECT envelope, mailbox, thread, type, sender, accepted_at, content FROM inbox
WHERE indexed = 0 AND content IS NOT NULL ORDER BY accepted_at LIMIT :limit
-- name: set_indexed
UPDATE inbox SET indexed = 1 WHERE envelope = :envelope AND mailbox = :mailbox AND content IS NOT NULL
-- name: add_indexed
INSERT INTO indexed (envelope, mailbox, thread, type, sender, at, sent, words)
VALUES (:envelope, :mailbox, :thread, :type, :sender, :at, :sent, :words) ON CONFLICT DO NOTHING RETURNING number
-- name: add_words
INSERT INTO word (digest, item) SELECT value, :item FROM json_each(:words) WHERE true ON CONFLICT DO NOTHING
-- name: drop_indexed
DELETE FROM indexed WHERE envelope = :envelope AND mailbox = :mailbox
-- name: sweep_sent_words
DELETE FROM indexed WHERE sent = 1 AND at < :before
  AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.envelope = indexed.envelope AND o.draft IS NOT NULL)
-- name: count_word
SELECT count(*) AS n FROM (SELECT 1 FROM word WHERE digest = :digest LIMIT :limit)
-- name: find_words
SELECT i.envelope, i.mailbox, i.thread, i.type, i.sender, i.at, i.sent, i.number
FROM word AS w CROSS JOIN indexed AS i ON i.number = w.item
WHERE w.digest = :digest AND w.item < :before
  AND NOT EXISTS (SELECT 1 FROM json_each(:others) AS term
                  WHERE NOT EXISTS (SELECT 1 FROM json_each(term.value) AS one CROSS JOIN word AS v
                                    ON v.digest = one.value AND v.item = w.item))
ORDER BY w.item DESC LIMIT :limit
