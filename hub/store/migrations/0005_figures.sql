-- The figures of years, added up as the log grows: see hub.figures.

-- Up to where the log has been counted, and by which calendar and sectors; "basis" is the follower's own JSON.
CREATE TABLE figure_place (
  one SMALLINT PRIMARY KEY CHECK (one = 1),
  size BIGINT NOT NULL,
  basis TEXT NOT NULL
);

-- How many units have these facts: of each day with mailboxes, of each month with agencies, and of records by sector.
CREATE TABLE figure_sum (
  grain SMALLINT NOT NULL,
  low BIGINT NOT NULL,
  high BIGINT NOT NULL,
  bucket BIGINT NOT NULL,
  family TEXT NOT NULL,
  creditor TEXT NOT NULL,
  debtor TEXT NOT NULL,
  facts BIGINT NOT NULL,
  amount BIGINT NOT NULL,
  PRIMARY KEY (grain, low, high, bucket, family, creditor, debtor, facts)
) CLUSTERED;
CREATE INDEX figure_sum_empty ON figure_sum (grain) WHERE amount = 0;

-- What one thread (of what recurs: one period) has put into the sums, to be taken out again when it changes.
CREATE TABLE figure_part (
  thread BYTEA NOT NULL,
  item TEXT NOT NULL,
  parts BYTEA NOT NULL,
  PRIMARY KEY (thread, item)
) CLUSTERED;

-- Of these parts, those in which somebody still has to do something, and until when nobody is late.
CREATE TABLE figure_waiting (
  thread BYTEA NOT NULL,
  item TEXT NOT NULL,
  place BIGINT NOT NULL,
  low BIGINT NOT NULL,
  high BIGINT NOT NULL,
  bucket BIGINT NOT NULL,
  family TEXT NOT NULL,
  creditor TEXT NOT NULL,
  debtor TEXT NOT NULL,
  facts BIGINT NOT NULL,
  amount BIGINT NOT NULL,
  until BIGINT NOT NULL,
  obligation BYTEA NOT NULL,
  due BIGINT NOT NULL,
  PRIMARY KEY (thread, item, place)
) CLUSTERED;
CREATE INDEX figure_waiting_until ON figure_waiting (until);
CREATE INDEX figure_waiting_low ON figure_waiting (low);

-- Which recurring duties a message met: those are in no thread with it.
CREATE INDEX obligation_met ON obligation (settled_by) WHERE period_ends IS NOT NULL;

-- Who was sent something, or named as a party to it, by month, type and sender.
CREATE TABLE figure_named (
  month BIGINT NOT NULL,
  family TEXT NOT NULL,
  agency TEXT NOT NULL,
  sender TEXT NOT NULL,
  sent BIGINT NOT NULL,
  named BIGINT NOT NULL,
  PRIMARY KEY (month, family, agency, sender)
) CLUSTERED;

-- When an agency's gateway last asked for anything, to the minute.
CREATE TABLE agency_seen (
  agency TEXT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL
) CLUSTERED;
