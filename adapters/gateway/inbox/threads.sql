-- name: schema
CREATE VIEW IF NOT EXISTS excluded AS
  SELECT thread, person FROM exclusion AS last
  WHERE state = 'excluded' AND NOT EXISTS (SELECT 1 FROM exclusion AS later WHERE later.thread = last.thread
    AND later.person = last.person AND later.number > last.number);
CREATE INDEX IF NOT EXISTS outbox_of ON outbox (mailbox, at, envelope);
CREATE INDEX IF NOT EXISTS holder_of_team ON holder (mailbox, person);
CREATE INDEX IF NOT EXISTS glass_in ON glass (thread);

-- name: relations_of
SELECT pair.key AS number, CASE
  WHEN EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = json_extract(pair.value, '$[0]') AND e.person = :excluded) THEN 'excluded'
  WHEN EXISTS (SELECT 1 FROM holder AS h WHERE h.thread = json_extract(pair.value, '$[0]') AND h.mailbox = json_extract(pair.value, '$[1]')
               AND h.person = :person) THEN 'holder'
  WHEN NOT EXISTS (SELECT 1 FROM holding AS h WHERE h.thread = json_extract(pair.value, '$[0]') AND h.mailbox = json_extract(pair.value, '$[1]')
                   AND NOT (h.away_since <= :now AND h.away_until > :now)) THEN 'unheld'
  WHEN EXISTS (SELECT 1 FROM glass AS g WHERE g.person = :person AND g.thread = json_extract(pair.value, '$[0]')
               AND g.mailbox = json_extract(pair.value, '$[1]') AND g.until > :now) THEN 'glass'
  ELSE 'colleague' END AS relation
FROM json_each(:pairs) AS pair
-- name: teams_in_thread
SELECT box.value AS mailbox FROM json_each(:mailboxes) AS box
WHERE EXISTS (SELECT 1 FROM inbox AS i WHERE i.thread = :thread AND i.mailbox = box.value AND i.state <> 'rejected')
   OR EXISTS (SELECT 1 FROM outbox AS o WHERE o.thread = :thread AND o.mailbox = box.value)
   OR EXISTS (SELECT 1 FROM obligation AS d WHERE d.thread = :thread AND box.value IN (d.debtor, d.creditor))
-- name: holders_named
SELECT p.*, h.person, h.at AS since, a.until AS away_until
FROM holder AS h JOIN person AS p ON p.id = h.person
LEFT JOIN person_away AS a ON a.person = h.person AND a.since <= :now AND a.until > :now
WHERE h.thread = :thread AND h.mailbox = :mailbox ORDER BY h.at, h.person

-- name: received_in
SELECT envelope, mailbox, type, sender, accepted_at, state, code, attention, header FROM inbox
WHERE thread = :thread AND state <> 'rejected' AND mailbox IN (SELECT value FROM json_each(:mailboxes))
ORDER BY accepted_at DESC LIMIT :limit
-- name: sent_in
SELECT envelope, mailbox, type, at, state, header FROM outbox
WHERE thread = :thread AND mailbox IN (SELECT value FROM json_each(:mailboxes)) ORDER BY at DESC LIMIT :limit
-- name: own_receipts_in
SELECT r.envelope, r.mailbox, r.level, r.at, r.state, r.code FROM inbox AS i
JOIN receipt AS r ON r.envelope = i.envelope AND r.mailbox = i.mailbox
WHERE i.thread = :thread AND r.state <> 'refused' AND i.mailbox IN (SELECT value FROM json_each(:mailboxes))
ORDER BY r.number
-- name: heard_among
SELECT h.envelope, h.mailbox, h.level, h.code, h.at, p.ix FROM json_each(:envelopes) AS one
CROSS JOIN heard AS h ON h.envelope = one.value
LEFT JOIN heard_place AS p ON p.id = h.id ORDER BY h.rowid
-- name: receipts_owed_among
SELECT o.envelope, o.debtor, o.due FROM json_each(:threads) AS one
CROSS JOIN obligation AS o ON o.thread = one.value AND o.state = 'open' AND o.kind = 'receipt'
WHERE o.creditor IN (SELECT value FROM json_each(:mailboxes)) ORDER BY o.due
-- name: duties_in
SELECT id, duty, state, settled_at, kind, debtor, creditor, due FROM obligation
WHERE thread = :thread AND (debtor IN (SELECT value FROM json_each(:mailboxes))
                            OR creditor IN (SELECT value FROM json_each(:mailboxes)))
ORDER BY state <> 'open', CASE state WHEN 'open' THEN due ELSE -due END, id LIMIT :limit
-- name: sent_by
SELECT envelope, mailbox, thread, type, at, state, header, acceptance FROM outbox
WHERE mailbox = :mailbox AND (at, envelope) < (:at, :envelope) ORDER BY at DESC, envelope DESC LIMIT :limit

-- name: unread_by_holder
SELECT h.person, count(*) AS unread, min(i.accepted_at) AS oldest
FROM inbox AS i CROSS JOIN holder AS h ON h.thread = i.thread AND h.mailbox = i.mailbox
WHERE i.mailbox = :mailbox AND i.attention = 'new' AND i.state NOT IN ('rejected', 'destroyed', 'deleted')
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = i.thread AND e.person = :excluded)
GROUP BY h.person
-- name: held_by_holder
SELECT h.person, count(*) AS held FROM holder AS h
WHERE h.mailbox = :mailbox AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = h.thread AND e.person = :excluded)
GROUP BY h.person
-- name: overdue_by_holder
SELECT h.person, count(*) AS overdue, min(o.due) AS due
FROM obligation AS o CROSS JOIN holder AS h ON h.thread = o.thread AND h.mailbox = o.debtor
WHERE o.debtor = :mailbox AND o.state = 'open' AND o.due < :now
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = o.thread AND e.person = :excluded)
GROUP BY h.person
-- name: away_in_team
SELECT a.person, a.until, a.cover FROM person_team AS t JOIN person_away AS a ON a.person = t.person
WHERE t.mailbox = :mailbox AND a.since <= :now AND a.until > :now
-- name: unheld_in_team
SELECT i.thread, i.type, i.sender, i.accepted_at, i.attention FROM inbox AS i
WHERE i.mailbox = :mailbox AND i.attention = :attention AND i.state NOT IN ('rejected', 'destroyed', 'deleted')
  AND NOT EXISTS (SELECT 1 FROM holding AS h WHERE h.thread = i.thread AND h.mailbox = i.mailbox
                  AND NOT (h.away_since <= :now AND h.away_until > :now))
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = i.thread AND e.person = :excluded)
ORDER BY i.accepted_at LIMIT :limit
-- name: unheld_duties
SELECT o.thread, o.duty, o.due, o.creditor FROM obligation AS o
WHERE o.debtor = :mailbox AND o.state = 'open'
  AND NOT EXISTS (SELECT 1 FROM holding AS h WHERE h.thread = o.thread AND h.mailbox = o.debtor
                  AND NOT (h.away_since <= :now AND h.away_until > :now))
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = o.thread AND e.person = :excluded)
ORDER BY o.due LIMIT :limit
-- name: held_in_team
SELECT h.thread, h.at,
  (SELECT min(i.accepted_at) FROM inbox AS i WHERE i.thread = h.thread AND +i.mailbox = h.mailbox AND +i.attention = 'new'
   AND i.state NOT IN ('rejected', 'destroyed', 'deleted')) AS oldest,
  (SELECT min(o.due) FROM obligation AS o WHERE o.thread = h.thread AND o.state = 'open' AND +o.debtor = h.mailbox) AS due
FROM holder AS h
WHERE h.mailbox = :mailbox AND h.person = :person
  AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.thread = h.thread AND e.person = :excluded)
ORDER BY oldest IS NULL, oldest, due IS NULL, due, h.at LIMIT :limit
-- name: newest_in
SELECT one.value AS thread, i.type, i.sender, max(i.accepted_at) AS at
FROM json_each(:threads) AS one CROSS JOIN inbox AS i ON i.thread = one.value AND i.mailbox = :mailbox
WHERE i.state <> 'rejected' GROUP BY one.value
-- name: holders_among
SELECT h.thread, h.person FROM json_each(:threads) AS one
CROSS JOIN holder AS h ON h.thread = one.value AND h.mailbox = :mailbox ORDER BY h.thread, h.person

-- name: glass_in_thread
SELECT * FROM glass WHERE thread = :thread ORDER BY at
-- name: reviewers
SELECT p.id FROM person_duty AS d JOIN person AS p ON p.id = d.person WHERE d.duty = 'reviewer' AND p.state = 'active' ORDER BY p.id
-- name: reviewed_glass
SELECT * FROM glass WHERE reviewer IS NOT NULL ORDER BY reviewed_at DESC LIMIT :limit
