-- Who signs in at the console, the tokens of programs, and what two people have to agree on.  Tokens and codes are kept as
-- their digests, second factors sealed.

CREATE TABLE account (
  id BYTEA NOT NULL PRIMARY KEY,
  login TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  state TEXT NOT NULL,
  password TEXT,
  otp BYTEA,
  otp_used BIGINT NOT NULL,
  subject TEXT UNIQUE,
  invited_by BYTEA,
  version BIGINT NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE account_code (
  code BYTEA NOT NULL PRIMARY KEY,
  account BYTEA NOT NULL UNIQUE,
  until BIGINT NOT NULL
) CLUSTERED;

CREATE TABLE account_passkey (
  id BYTEA NOT NULL PRIMARY KEY,
  account BYTEA NOT NULL,
  public BYTEA NOT NULL,
  signed BIGINT NOT NULL,
  name TEXT NOT NULL,
  at BIGINT NOT NULL,
  used BIGINT
);
CREATE INDEX account_passkey_of ON account_passkey (account);

CREATE TABLE account_session (
  token BYTEA NOT NULL PRIMARY KEY,
  account BYTEA NOT NULL,
  csrf TEXT NOT NULL,
  at BIGINT NOT NULL,
  seen BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX account_session_of ON account_session (account);
CREATE INDEX account_session_seen ON account_session (seen);

-- What a browser has begun and not finished.
CREATE TABLE account_step (
  token BYTEA NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  until BIGINT NOT NULL,
  content BYTEA NOT NULL
) CLUSTERED;
CREATE INDEX account_step_until ON account_step (until);

CREATE TABLE sign_in_count (
  who BYTEA NOT NULL PRIMARY KEY,
  failed BIGINT NOT NULL,
  locked_until BIGINT NOT NULL,
  at BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX sign_in_count_at ON sign_in_count (at);

CREATE TABLE program (
  id BYTEA NOT NULL PRIMARY KEY,
  token BYTEA NOT NULL UNIQUE,
  account BYTEA NOT NULL,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  at BIGINT NOT NULL,
  until BIGINT NOT NULL
);

CREATE TABLE proposal (
  id BYTEA NOT NULL PRIMARY KEY,
  act TEXT NOT NULL,
  about BYTEA NOT NULL,
  reason TEXT NOT NULL,
  state TEXT NOT NULL,
  by_account BYTEA NOT NULL,
  at BIGINT NOT NULL,
  until BIGINT NOT NULL,
  decided_by BYTEA,
  decided_at BIGINT
);
CREATE INDEX proposal_state ON proposal (state, id);
CREATE INDEX proposal_until ON proposal (state, until);
