-- Questions to the audit log that people at the console ask again and again; `filters` is the JSON of what is asked for.

CREATE TABLE question (
  id BYTEA NOT NULL PRIMARY KEY,
  title TEXT NOT NULL,
  filters TEXT NOT NULL,
  account BYTEA NOT NULL,
  at BIGINT NOT NULL
);
