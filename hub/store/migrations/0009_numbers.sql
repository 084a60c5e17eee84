-- Every number that a feed's entry ever got, in the order in which they were given: the log commits to all of them, so that
-- none can be given twice, left out, or given to something else later.  Numbers from before have no place.

ALTER TABLE log_head ADD COLUMN given BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_head ADD COLUMN numbers TEXT NOT NULL DEFAULT '';
ALTER TABLE log_head ADD COLUMN told BIGINT NOT NULL DEFAULT 0;

-- What moved to a later number leaves its reference behind.
ALTER TABLE feed ADD COLUMN moved BYTEA;
ALTER TABLE feed ADD COLUMN place BIGINT;
CREATE UNIQUE INDEX feed_place ON feed (place) WHERE place IS NOT NULL;
