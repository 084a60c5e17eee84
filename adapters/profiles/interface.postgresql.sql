-- The interface tables of a case-management database on PostgreSQL.  docs/agencies/social-care.md says who writes what.

-- What the agency wants to send.  Written by the agency; answered by the gateway.
CREATE TABLE hub_outbox (
  place BIGINT GENERATED ALWAYS AS IDENTITY,
  key VARCHAR(120) PRIMARY KEY,
  kind VARCHAR(60) NOT NULL,
  fields TEXT NOT NULL,
  documents INTEGER NOT NULL DEFAULT 0,
  follows VARCHAR(120) REFERENCES hub_outbox (key),
  state VARCHAR(10) NOT NULL DEFAULT 'ready' CHECK (state IN ('held', 'ready', 'sent', 'refused')),
  taken_by VARCHAR(120),
  taken_at TIMESTAMPTZ,
  envelope VARCHAR(22),
  thread VARCHAR(22),
  ids TEXT,
  code VARCHAR(64),
  message TEXT,
  hint TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  answered_at TIMESTAMPTZ);
CREATE INDEX hub_outbox_waiting ON hub_outbox (place) WHERE state = 'ready';

CREATE TABLE hub_outbox_document (
  outbox_key VARCHAR(120) NOT NULL,
  number INTEGER NOT NULL,
  name VARCHAR(120) NOT NULL,
  media_type VARCHAR(120) NOT NULL,
  content BYTEA NOT NULL,
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
  place BIGINT GENERATED ALWAYS AS IDENTITY,
  identity VARCHAR(250) PRIMARY KEY,
  kind VARCHAR(60) NOT NULL,
  reference VARCHAR(250) NOT NULL UNIQUE,
  envelope VARCHAR(22) NOT NULL,
  mode VARCHAR(20) NOT NULL,
  fields TEXT NOT NULL,
  documents INTEGER NOT NULL DEFAULT 0,
  state VARCHAR(10) NOT NULL DEFAULT 'new',
  received_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP);

CREATE TABLE hub_inbox_document (
  identity VARCHAR(250) NOT NULL,
  number INTEGER NOT NULL,
  name VARCHAR(250) NOT NULL,
  media_type VARCHAR(120) NOT NULL,
  content BYTEA NOT NULL,
  PRIMARY KEY (identity, number));

CREATE INDEX hub_inbox_envelope ON hub_inbox (envelope);

-- What stands in the record now, as the gateway reads it back.  An agency that moves rows of hub_inbox into tables of its
-- own defines both views over those tables; `ended` is 1 where somebody has ended it there.
CREATE VIEW hub_record AS SELECT kind, reference, fields, 0 AS ended FROM hub_inbox;
CREATE VIEW hub_record_document AS
  SELECT filed.kind, filed.reference, given.number, given.content
  FROM hub_inbox AS filed JOIN hub_inbox_document AS given ON given.identity = filed.identity;
