-- The period that a recurring duty is about, so that a message is held against those that it may meet, and not against
-- everything that was ever missed.

ALTER TABLE obligation ADD COLUMN period_starts BIGINT;
ALTER TABLE obligation ADD COLUMN period_ends BIGINT;
-- sqlite: UPDATE obligation SET period_starts = json_extract(CAST(duty AS TEXT), '$.moment'), period_ends = json_extract(CAST(duty AS TEXT), '$.period_end') WHERE CAST(duty AS TEXT) LIKE '%"period_end":%'
-- postgres: UPDATE obligation SET period_starts = (convert_from(duty, 'UTF8')::json ->> 'moment')::bigint, period_ends = (convert_from(duty, 'UTF8')::json ->> 'period_end')::bigint WHERE convert_from(duty, 'UTF8') LIKE '%"period_end":%'
CREATE INDEX obligation_period ON obligation (thread, period_ends) WHERE period_ends IS NOT NULL;
