-- Everything that the hub keeps.  One text for both databases: BIGINT, SMALLINT, TEXT and BYTEA are translated by
-- hub.store.queries, CLUSTERED becomes WITHOUT ROWID on SQLite.  Lines that begin "-- postgres:" run there only.
--
-- Ids are 16 or 32 raw bytes.  Ids of envelopes, receipts and threads grow with time, which keeps their indexes local.
-- A BIGINT PRIMARY KEY is SQLite's row number: the envelope's place in the log is its key, so that feeds join by it.

CREATE TABLE log_head (
  one SMALLINT PRIMARY KEY CHECK (one = 1),
  size BIGINT NOT NULL,
  frontier BYTEA NOT NULL,
  registry BIGINT NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE leaf (
  ix BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  event TEXT NOT NULL,
  agency TEXT,
  thread BYTEA,
  hash BYTEA NOT NULL,
  body BYTEA NOT NULL
);
CREATE INDEX leaf_thread ON leaf (thread, ix) WHERE thread IS NOT NULL;
CREATE INDEX leaf_agency ON leaf (agency, ix) WHERE agency IS NOT NULL;
-- The four events of every journey are found by walking; only the others would be looked for in vain.
CREATE INDEX leaf_seldom ON leaf (event, ix)
  WHERE event NOT IN ('envelope-accepted', 'receipt-accepted', 'obligation-opened', 'obligation-settled');

CREATE TABLE node (
  level SMALLINT NOT NULL,
  ix BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  PRIMARY KEY (level, ix)
) CLUSTERED;

CREATE TABLE checkpoint (
  size BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  note TEXT NOT NULL
);

CREATE TABLE cosignature (
  size BIGINT NOT NULL,
  witness TEXT NOT NULL,
  line TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (size, witness)
) CLUSTERED;

CREATE TABLE envelope (
  ix BIGINT PRIMARY KEY,
  id BYTEA NOT NULL UNIQUE,
  thread BYTEA NOT NULL,
  type TEXT NOT NULL,
  sender TEXT NOT NULL,
  state TEXT NOT NULL,
  length BIGINT NOT NULL,
  at BIGINT NOT NULL,
  accepted_at BIGINT NOT NULL,
  keep_until BIGINT NOT NULL,
  expire_at BIGINT NOT NULL,
  expire_stage SMALLINT NOT NULL,
  variant TEXT NOT NULL,
  supersedes BYTEA,
  superseded_by BYTEA,
  header_sha256 BYTEA NOT NULL,
  sealed_sha256 BYTEA NOT NULL,
  opening BYTEA NOT NULL,
  acceptance BYTEA NOT NULL,
  header BYTEA NOT NULL,
  wraps BYTEA NOT NULL
);
CREATE INDEX envelope_thread ON envelope (thread);
CREATE INDEX envelope_expire ON envelope (expire_at) WHERE state = 'present';

CREATE TABLE body (
  envelope_ix BIGINT PRIMARY KEY,
  content BYTEA NOT NULL
);
-- postgres: ALTER TABLE body ALTER COLUMN content SET STORAGE EXTERNAL
-- postgres: ALTER TABLE envelope ALTER COLUMN wraps SET STORAGE EXTERNAL

-- Bodies that lie in files, by name; a file goes when its last row has gone.
CREATE TABLE body_file (
  sha256 BYTEA NOT NULL,
  envelope_ix BIGINT NOT NULL,
  PRIMARY KEY (sha256, envelope_ix)
) CLUSTERED;

CREATE TABLE mailbox (
  name TEXT NOT NULL PRIMARY KEY,
  size BIGINT NOT NULL
) CLUSTERED;

-- A delivery is its feed entry; one row says both.  Of a tombstone, only the number is left to read.  The kind is part
-- of what is unique, because senders choose ids: a receipt must not vanish behind an envelope of the same id.
CREATE TABLE feed (
  mailbox TEXT NOT NULL,
  seq BIGINT NOT NULL,
  kind TEXT NOT NULL,
  ref BYTEA,
  at BIGINT NOT NULL,
  tombstone SMALLINT NOT NULL,
  state TEXT NOT NULL,
  kid BYTEA,
  envelope_ix BIGINT,
  payload BYTEA
);
CREATE UNIQUE INDEX feed_seq ON feed (mailbox, seq);
CREATE UNIQUE INDEX feed_ref ON feed (ref, mailbox, kind);
CREATE INDEX feed_uncollected ON feed (kid) WHERE state = 'owed' AND kid IS NOT NULL;

CREATE TABLE receipt (
  id BYTEA NOT NULL UNIQUE,
  envelope BYTEA NOT NULL,
  mailbox TEXT NOT NULL,
  level TEXT NOT NULL,
  code TEXT,
  actor BYTEA,
  at BIGINT NOT NULL,
  accepted_at BIGINT NOT NULL,
  ix BIGINT NOT NULL,
  jws BYTEA NOT NULL
);
CREATE INDEX receipt_envelope ON receipt (envelope, mailbox, ix);

CREATE TABLE obligation (
  id BYTEA NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  rule TEXT NOT NULL,
  family TEXT NOT NULL,
  thread BYTEA NOT NULL,
  debtor TEXT NOT NULL,
  creditor TEXT NOT NULL,
  due BIGINT NOT NULL,
  state TEXT NOT NULL,
  opened_at BIGINT NOT NULL,
  settled_at BIGINT,
  settled_by BYTEA,
  step BIGINT NOT NULL,
  next_at BIGINT,
  duty BYTEA NOT NULL
);
CREATE INDEX obligation_thread ON obligation (thread);
-- What is settled has no next moment; naming the state here would lead SQLite's planner to another index.
CREATE INDEX obligation_next ON obligation (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX obligation_due ON obligation (state, due, id);
CREATE INDEX obligation_debtor ON obligation (debtor, state, due, id);
CREATE INDEX obligation_creditor ON obligation (creditor, state, due, id);

CREATE TABLE document (
  kind TEXT NOT NULL,
  version BIGINT NOT NULL,
  sha256 BYTEA NOT NULL,
  at BIGINT NOT NULL,
  ix BIGINT NOT NULL,
  document BYTEA NOT NULL,
  PRIMARY KEY (kind, version)
);

-- Every statement about a key is kept; the newest of a key has the highest place in the log.
CREATE TABLE key_statement (
  kid BYTEA NOT NULL,
  ix BIGINT NOT NULL,
  newest SMALLINT NOT NULL,
  agency TEXT NOT NULL,
  mailbox TEXT,
  purpose TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  state TEXT NOT NULL,
  not_before BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  usable_from BIGINT NOT NULL,
  compromised_from BIGINT,
  at BIGINT NOT NULL,
  statement BYTEA NOT NULL,
  approval BYTEA,
  PRIMARY KEY (kid, ix)
);
CREATE INDEX key_newest ON key_statement (newest, ix);
CREATE INDEX key_place ON key_statement (ix);

CREATE TABLE jti (
  jti TEXT NOT NULL PRIMARY KEY,
  expires BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX jti_expires ON jti (expires);

CREATE TABLE waiver (
  id BYTEA NOT NULL PRIMARY KEY,
  obligation BYTEA NOT NULL,
  at BIGINT NOT NULL,
  ix BIGINT NOT NULL,
  jws BYTEA NOT NULL
);

CREATE TABLE withdrawal (
  id BYTEA NOT NULL PRIMARY KEY,
  envelope BYTEA NOT NULL,
  at BIGINT NOT NULL,
  ix BIGINT NOT NULL,
  jws BYTEA NOT NULL
);
CREATE INDEX withdrawal_envelope ON withdrawal (envelope);
