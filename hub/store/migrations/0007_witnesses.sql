-- Of each witness, by the name of its key: the largest checkpoint that it cosigned, and how asking it went.
-- What has a quorum follows from these few rows, however long the log is.
CREATE TABLE witness (
  name TEXT NOT NULL PRIMARY KEY,
  key_id TEXT NOT NULL,
  size BIGINT NOT NULL,
  said_at BIGINT NOT NULL,
  at BIGINT NOT NULL,
  asked_at BIGINT NOT NULL,
  error TEXT
) CLUSTERED;
