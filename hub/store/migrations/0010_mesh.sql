-- The MESH front door.  A mailbox that may use it, with what it proves itself by (sealed), and up to which number of its feed
-- everything was acknowledged.

CREATE TABLE mesh_mailbox (
  mailbox TEXT NOT NULL PRIMARY KEY,
  secrets BYTEA NOT NULL,
  at BIGINT NOT NULL,
  through BIGINT NOT NULL
) CLUSTERED;

-- What was acknowledged beyond that number.
CREATE TABLE mesh_acknowledged (
  mailbox TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (mailbox, seq)
) CLUSTERED;

-- A used token, by its digest, and the request that it was good for.
CREATE TABLE mesh_token (
  token BYTEA NOT NULL PRIMARY KEY,
  request BYTEA NOT NULL,
  until BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX mesh_token_until ON mesh_token (until);

-- What was sent through the front door.  `first` is the digest of the first part as it came; `ref` the envelope or receipt
-- that it turned out to be.
CREATE TABLE mesh_sent (
  id TEXT NOT NULL PRIMARY KEY,
  sender TEXT NOT NULL,
  recipient TEXT NOT NULL,
  workflow TEXT NOT NULL,
  local_id TEXT NOT NULL,
  told BYTEA NOT NULL,
  parts BIGINT NOT NULL,
  encoding TEXT NOT NULL,
  first BYTEA NOT NULL,
  state TEXT NOT NULL,
  at BIGINT NOT NULL,
  ref BYTEA,
  kind TEXT NOT NULL,
  code TEXT NOT NULL,
  duty BYTEA,
  due BIGINT,
  reported BIGINT,
  report_taken BIGINT
);
CREATE INDEX mesh_sent_again ON mesh_sent (sender, recipient, workflow, local_id, first);
CREATE INDEX mesh_sent_at ON mesh_sent (at);
CREATE INDEX mesh_sent_local ON mesh_sent (sender, local_id);
CREATE INDEX mesh_sent_due ON mesh_sent (sender, due) WHERE due IS NOT NULL AND reported IS NULL;
CREATE INDEX mesh_sent_reported ON mesh_sent (sender, id) WHERE reported IS NOT NULL AND report_taken IS NULL;
CREATE INDEX mesh_sent_ref ON mesh_sent (ref, recipient) WHERE ref IS NOT NULL;
CREATE INDEX mesh_sent_uploading ON mesh_sent (sender, at) WHERE state = 'uploading';

-- The parts of a message whose upload isn't complete, as they came; of a complete one the digests alone are left.
CREATE TABLE mesh_part (
  id TEXT NOT NULL,
  number BIGINT NOT NULL,
  sha256 BYTEA NOT NULL,
  size BIGINT NOT NULL,
  content BYTEA,
  PRIMARY KEY (id, number)
);
