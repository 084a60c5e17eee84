-- The interface tables of a case-management database on SQLite.  docs/agencies/social-care.md says who writes what.

-- What the agency wants to send.  Written by the agency; answered by the gateway.
CREATE TABLE hub_outbox (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  fields TEXT NOT NULL,
  documents INTEGER NOT NULL DEFAULT 0,
  follows TEXT REFERENCES hub_outbox (key),
  state TEXT NOT NULL DEFAULT 'ready' CHECK (state IN ('held', 'ready', 'sent', 'refused')),
  taken_by TEXT,
  taken_at TEXT,
  envelope TEXT,
  thread TEXT,
  ids TEXT,
  code TEXT,
  message TEXT,
  hint TEXT,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  answered_at TEXT);
CREATE INDEX hub_outbox_waiting ON hub_outbox (place) WHERE state = 'ready';

CREATE TABLE hub_outbox_document (
  outbox_key TEXT NOT NULL,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (outbox_key, number));

-- Why each row waits, for whoever watches over it: `held` and `documents` for you, `follows` for the row before, `gateway` for one
-- that takes it, `taken` for the answer of the one that has it.
CREATE VIEW hub_waiting AS
  SELECT waiting.key, waiting.kind, waiting.created_at, waiting.taken_by,
    CASE
      WHEN waiting.state = 'held' THEN 'held'
      WHEN waiting.taken_by IS NOT NULL THEN 'taken'
      WHEN waiting.documents <>
        (SELECT count(*) FROM hub_outbox_document AS given WHERE given.outbox_key = waiting.key) THEN 'documents'
      WHEN waiting.follows IS NOT NULL AND coalesce(earlier.state, '') <> 'sent' THEN 'follows'
      ELSE 'gateway'
    END AS why
  FROM hub_outbox AS waiting LEFT JOIN hub_outbox AS earlier ON earlier.key = waiting.follows
  WHERE waiting.state IN ('held', 'ready');

-- What arrived.  Written by the gateway, the row after its documents; used by the agency.
CREATE TABLE hub_inbox (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  identity TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  reference TEXT NOT NULL UNIQUE,
  envelope TEXT NOT NULL,
  mode TEXT NOT NULL,
  fields TEXT NOT NULL,
  documents INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'new',
  received_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);

CREATE TABLE hub_inbox_document (
  identity TEXT NOT NULL,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (identity, number));

CREATE INDEX hub_inbox_envelope ON hub_inbox (envelope);

-- What stands in the record now, as the gateway reads it back.  An agency that moves rows of hub_inbox into tables of its
-- own defines both views over those tables; `ended` is 1 where somebody has ended it there.
CREATE VIEW hub_record AS SELECT kind, reference, fields, 0 AS ended FROM hub_inbox;
CREATE VIEW hub_record_document AS
  SELECT filed.kind, filed.reference, given.number, given.content
  FROM hub_inbox AS filed JOIN hub_inbox_document AS given ON given.identity = filed.identity;
