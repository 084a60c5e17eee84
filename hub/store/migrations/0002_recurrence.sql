-- Up to which moment the periods of recurring rules have begun.

CREATE TABLE recurrence (
  one SMALLINT PRIMARY KEY CHECK (one = 1),
  at BIGINT NOT NULL
);
