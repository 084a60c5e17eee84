-- What governance keeps: legal holds, records of breaches, suspended keys, drafts of documents that officers shall sign.

-- A hold has the id of the proposal by which two people placed it.  Without an envelope, it is on the whole thread, with what comes into it later.
CREATE TABLE legal_hold (
  id BYTEA NOT NULL PRIMARY KEY,
  thread BYTEA NOT NULL,
  envelope BYTEA,
  reason TEXT NOT NULL,
  at BIGINT NOT NULL,
  ix BIGINT NOT NULL,
  released_at BIGINT,
  released_by BYTEA,
  -- The leaf of which nobody has been told yet.
  untold BIGINT
);
CREATE INDEX legal_hold_of ON legal_hold (thread) WHERE released_at IS NULL;
CREATE INDEX legal_hold_untold ON legal_hold (untold) WHERE untold IS NOT NULL;
CREATE INDEX legal_hold_place ON legal_hold (ix);
CREATE INDEX legal_hold_active ON legal_hold (ix) WHERE released_at IS NULL;

CREATE TABLE breach (
  envelope BYTEA NOT NULL PRIMARY KEY,
  thread BYTEA NOT NULL,
  cause TEXT NOT NULL,
  state TEXT NOT NULL,
  at BIGINT NOT NULL,
  ix BIGINT NOT NULL
);
CREATE INDEX breach_place ON breach (ix);
CREATE INDEX breach_state ON breach (state, ix);

CREATE TABLE breach_step (
  envelope BYTEA NOT NULL,
  ix BIGINT NOT NULL,
  at BIGINT NOT NULL,
  state TEXT NOT NULL,
  told_at BIGINT,
  proposal BYTEA NOT NULL,
  PRIMARY KEY (envelope, ix)
) CLUSTERED;

CREATE TABLE suspension (
  kid BYTEA NOT NULL PRIMARY KEY,
  reason TEXT NOT NULL,
  at BIGINT NOT NULL,
  ix BIGINT NOT NULL,
  proposal BYTEA NOT NULL
);

CREATE TABLE draft (
  sha256 BYTEA NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  version BIGINT NOT NULL,
  payload BYTEA NOT NULL,
  at BIGINT NOT NULL
);
