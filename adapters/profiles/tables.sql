-- What the gateway says to the interface tables, the same on SQLite and PostgreSQL; `interface.*.sql` makes them.

-- name: take_waiting
UPDATE hub_outbox SET taken_by = :gateway, taken_at = CURRENT_TIMESTAMP
WHERE taken_by IS NULL AND state = 'ready' AND key IN (
  SELECT waiting.key FROM hub_outbox AS waiting LEFT JOIN hub_outbox AS earlier ON earlier.key = waiting.follows
  WHERE waiting.state = 'ready' AND waiting.taken_by IS NULL AND (waiting.follows IS NULL OR earlier.state = 'sent')
    AND waiting.documents =
      (SELECT count(*) FROM hub_outbox_document AS given WHERE given.outbox_key = waiting.key)
  ORDER BY waiting.place LIMIT :most)

-- name: refuse_followers
UPDATE hub_outbox SET state = 'refused', code = :code, message = :message, hint = :hint, answered_at = CURRENT_TIMESTAMP
WHERE state = 'ready' AND follows IN (SELECT earlier.key FROM hub_outbox AS earlier WHERE earlier.state = 'refused')

-- name: waiting
SELECT mine.key, mine.kind, CAST(mine.fields AS TEXT) AS fields, mine.documents,
  earlier.thread AS thread, earlier.envelope AS envelope
FROM hub_outbox AS mine LEFT JOIN hub_outbox AS earlier ON earlier.key = mine.follows
WHERE mine.state = 'ready' AND mine.taken_by = :gateway ORDER BY mine.place LIMIT :most

-- name: waiting_documents
SELECT name, media_type, content FROM hub_outbox_document WHERE outbox_key = :key ORDER BY number

-- name: answer_sent
UPDATE hub_outbox SET state = 'sent', envelope = :envelope, thread = :thread, ids = :ids, answered_at = CURRENT_TIMESTAMP
WHERE key = :key AND taken_by = :gateway AND state = 'ready'

-- name: answer_refused
UPDATE hub_outbox SET state = 'refused', code = :code, message = :message, hint = :hint, answered_at = CURRENT_TIMESTAMP
WHERE key = :key AND taken_by = :gateway AND state = 'ready'

-- name: find_filed
SELECT kind, reference FROM hub_inbox WHERE identity = :identity

-- name: add_document
INSERT INTO hub_inbox_document (identity, number, name, media_type, content)
VALUES (:identity, :number, :name, :media_type, :content) ON CONFLICT (identity, number) DO NOTHING

-- name: add_filed
INSERT INTO hub_inbox (identity, kind, reference, envelope, mode, fields, documents)
VALUES (:identity, :kind, :identity, :envelope, :mode, :fields, :documents) ON CONFLICT (identity) DO NOTHING

-- name: standing
SELECT CAST(fields AS TEXT) AS fields, ended FROM hub_record WHERE kind = :kind AND reference = :reference

-- name: standing_documents
SELECT content FROM hub_record_document WHERE kind = :kind AND reference = :reference ORDER BY number

-- name: filed_under
SELECT kind, reference FROM hub_inbox WHERE envelope = :envelope

-- name: drop_filed_documents
DELETE FROM hub_inbox_document WHERE identity IN (SELECT identity FROM hub_inbox WHERE envelope = :envelope)

-- name: drop_filed
DELETE FROM hub_inbox WHERE envelope = :envelope

-- name: drop_sent_documents
DELETE FROM hub_outbox_document WHERE outbox_key IN (SELECT key FROM hub_outbox WHERE envelope = :envelope)

-- name: empty_sent
UPDATE hub_outbox SET fields = '{}', documents = 0 WHERE envelope = :envelope
