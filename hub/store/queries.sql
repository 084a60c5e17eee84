-- Every statement of the hub, by name, in the common subset of SQLite and PostgreSQL.
-- Parameters are :named.  No statement may walk a table from end to end; tests/store/test_plans.py asks the planner.

-- The head row ------------------------------------------------------------------------------------------------------

-- name: start_log
INSERT INTO log_head (one, size, frontier, registry, at) VALUES (1, 0, :frontier, 0, 0) ON CONFLICT (one) DO NOTHING

-- name: log_head
SELECT size, frontier, registry, at, given, numbers, told FROM log_head WHERE one = 1

-- A batch of one hub process keeps the others out until it commits: two batches can't wait for each other.
-- name: lock_log_head
UPDATE log_head SET size = size WHERE one = 1 RETURNING size, frontier, registry, at, given, numbers, told

-- name: set_log_head
UPDATE log_head SET size = :size, frontier = :frontier, registry = :registry, at = :at,
  given = :given, numbers = :numbers, told = :told
WHERE one = 1

-- The audit log -----------------------------------------------------------------------------------------------------

-- name: add_leaf
INSERT INTO leaf (ix, at, event, agency, thread, hash, body) VALUES (:ix, :at, :event, :agency, :thread, :hash, :body)

-- name: add_node
INSERT INTO node (level, ix, hash) VALUES (:level, :ix, :hash)

-- name: leaves
SELECT ix, at, event, thread, body, hash FROM leaf WHERE ix >= :first AND ix < :past ORDER BY ix

-- name: leaf_hashes
SELECT hash FROM leaf WHERE ix >= :first AND ix < :past ORDER BY ix

-- name: leaf_moment
SELECT at FROM leaf WHERE ix = :ix

-- name: nodes
SELECT hash FROM node WHERE level = :level AND ix >= :first AND ix < :past ORDER BY ix

-- name: leaves_after
SELECT ix, at, event, thread, body, hash FROM leaf WHERE ix > :after ORDER BY ix LIMIT :limit

-- name: leaves_of_thread
SELECT ix, at, event, thread, body, hash FROM leaf WHERE thread = :thread AND ix > :after ORDER BY ix LIMIT :limit

-- name: leaves_of_agency
SELECT ix, at, event, thread, body, hash FROM leaf WHERE agency = :agency AND ix > :after ORDER BY ix LIMIT :limit

-- name: leaves_of_seldom_event
SELECT ix, at, event, thread, body, hash FROM leaf
WHERE event = :event AND ix > :after
  AND event NOT IN ('envelope-accepted', 'receipt-accepted', 'obligation-opened', 'obligation-settled')
ORDER BY ix LIMIT :limit

-- name: last_leaves_of_seldom_event
SELECT ix, at, event, thread, body, hash FROM leaf
WHERE event = :event AND ix < :before
  AND event NOT IN ('envelope-accepted', 'receipt-accepted', 'obligation-opened', 'obligation-settled')
ORDER BY ix DESC LIMIT :limit

-- name: add_checkpoint
INSERT INTO checkpoint (size, at, note) VALUES (:size, :at, :note)
ON CONFLICT (size) DO UPDATE SET at = excluded.at, note = excluded.note

-- name: last_checkpoint
SELECT size, at, note FROM checkpoint ORDER BY size DESC LIMIT 1

-- name: find_checkpoint
SELECT note FROM checkpoint WHERE size = :size

-- name: add_cosignature
INSERT INTO cosignature (size, witness, line, at) VALUES (:size, :witness, :line, :at)
ON CONFLICT (size, witness) DO NOTHING

-- name: cosignatures
SELECT witness, line, at FROM cosignature WHERE size = :size ORDER BY witness

-- name: find_cosignature
SELECT line FROM cosignature WHERE size = :size AND witness = :witness

-- name: checkpoint_moment
SELECT at FROM checkpoint WHERE size = :size

-- name: find_witness
SELECT name, key_id, size, said_at, at, asked_at, error FROM witness WHERE name = :name

-- name: list_witnesses
SELECT name, key_id, size, said_at, at, asked_at, error FROM witness WHERE name > :after ORDER BY name

-- name: put_witness
INSERT INTO witness (name, key_id, size, said_at, at, asked_at, error)
VALUES (:name, :key_id, :size, :said_at, :at, :asked_at, :error)
ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, size = excluded.size, said_at = excluded.said_at,
  at = excluded.at, asked_at = excluded.asked_at, error = excluded.error

-- name: last_cosigned
SELECT size FROM cosignature ORDER BY size DESC LIMIT 1

-- Envelopes ---------------------------------------------------------------------------------------------------------

-- name: find_envelope
SELECT id, thread, type, sender, header, wraps, acceptance, header_sha256, sealed_sha256, length, opening, variant, at,
  accepted_at, ix, keep_until, supersedes, superseded_by, state, expire_at, expire_stage
FROM envelope WHERE id = :id

-- name: thread_envelopes
SELECT id, thread, type, sender, header, wraps, acceptance, header_sha256, sealed_sha256, length, opening, variant, at,
  accepted_at, ix, keep_until, supersedes, superseded_by, state, expire_at, expire_stage
FROM envelope WHERE thread = :thread

-- name: envelopes_to_expire
SELECT id, thread, type, sender, header, wraps, acceptance, header_sha256, sealed_sha256, length, opening, variant, at,
  accepted_at, ix, keep_until, supersedes, superseded_by, state, expire_at, expire_stage
FROM envelope WHERE state = 'present' AND expire_at <= :now ORDER BY expire_at LIMIT :limit

-- name: envelopes_expiring
SELECT id, thread, type, sender, header, wraps, acceptance, header_sha256, sealed_sha256, length, opening, variant, at,
  accepted_at, ix, keep_until, supersedes, superseded_by, state, expire_at, expire_stage
FROM envelope WHERE state = 'present' AND (expire_at, ix) > (:at, :ix) ORDER BY expire_at, ix LIMIT :limit

-- name: envelope_place
SELECT ix, length, sealed_sha256 FROM envelope WHERE id = :id

-- name: envelope_thread_of
SELECT thread FROM envelope WHERE id = :id

-- name: add_envelope
INSERT INTO envelope (ix, id, thread, type, sender, state, length, at, accepted_at, keep_until, expire_at,
  expire_stage, variant, supersedes, superseded_by, header_sha256, sealed_sha256, opening, acceptance, header, wraps)
VALUES (:ix, :id, :thread, :type, :sender, :state, :length, :at, :accepted_at, :keep_until, :expire_at,
  :expire_stage, :variant, :supersedes, :superseded_by, :header_sha256, :sealed_sha256, :opening, :acceptance, :header, :wraps)

-- name: replace_wraps
UPDATE envelope SET wraps = :wraps WHERE id = :id

-- name: set_envelope_state
UPDATE envelope SET state = :state WHERE id = :id

-- name: set_expiry
UPDATE envelope SET expire_at = :at, expire_stage = :stage WHERE id = :id

-- name: mark_superseded
UPDATE envelope SET superseded_by = :by WHERE id = :id

-- name: add_body
INSERT INTO body (envelope_ix, content) VALUES (:ix, :content)

-- name: body
SELECT content FROM body WHERE envelope_ix = :ix

-- name: drop_body
DELETE FROM body WHERE envelope_ix = :ix

-- name: add_body_file
INSERT INTO body_file (sha256, envelope_ix) VALUES (:sha256, :ix)

-- name: find_body_file
SELECT sha256 FROM body_file WHERE sha256 = :sha256 AND envelope_ix = :ix

-- Read at start and by the backup only: files are few, and each is larger than this answer.
-- name: body_files
SELECT sha256 FROM body_file ORDER BY sha256

-- name: drop_body_file
DELETE FROM body_file WHERE sha256 = :sha256 AND envelope_ix = :ix

-- name: body_file_use
SELECT envelope_ix FROM body_file WHERE sha256 = :sha256 LIMIT 1

-- Feeds and deliveries ----------------------------------------------------------------------------------------------

-- name: set_feed_size
INSERT INTO mailbox (name, size) VALUES (:mailbox, :size) ON CONFLICT (name) DO UPDATE SET size = excluded.size

-- name: feed_size
SELECT size FROM mailbox WHERE name = :mailbox

-- name: add_feed
INSERT INTO feed (mailbox, seq, kind, ref, at, tombstone, state, kid, envelope_ix, payload, place)
VALUES (:mailbox, :seq, :kind, :ref, :at, 0, :state, :kid, :envelope_ix, :payload, :place)

-- name: find_feed
SELECT seq, place FROM feed WHERE ref = :ref AND mailbox = :mailbox AND kind = :kind

-- name: numbers_given
SELECT place, mailbox, seq, kind, ref, moved FROM feed WHERE place > :after AND place <= :upto ORDER BY place LIMIT :limit

-- name: feed
SELECT mailbox, seq, kind, tombstone, ref, at, payload, state FROM feed
WHERE mailbox = :mailbox AND seq > :after ORDER BY seq LIMIT :limit

-- A page of a mailbox with all that a gateway needs of it, in one statement: the hub's most frequent question.
-- name: feed_deliveries
SELECT f.mailbox, f.seq, f.kind, f.tombstone, f.ref, f.at, f.payload, f.state,
  e.id, e.thread, e.type, e.sender, e.header, e.wraps, e.acceptance, e.header_sha256, e.sealed_sha256, e.length,
  e.opening, e.variant, e.at, e.accepted_at, e.ix, e.keep_until, e.supersedes, e.superseded_by, e.state,
  e.expire_at, e.expire_stage, b.content, r.ix
FROM feed AS f
LEFT JOIN envelope AS e ON e.ix = f.envelope_ix
LEFT JOIN body AS b ON b.envelope_ix = f.envelope_ix AND e.length <= 65536 AND e.state = 'present'
LEFT JOIN receipt AS r ON f.kind = 'receipt' AND r.id = f.ref
WHERE f.mailbox = :mailbox AND f.seq > :after ORDER BY f.seq LIMIT :limit

-- name: tombstone
UPDATE feed SET tombstone = 1, payload = NULL WHERE mailbox = :mailbox AND seq = :seq

-- A delivery begins again under a later number; what it leaves behind is a tombstone without reference.
-- name: move_delivery
UPDATE feed SET seq = :seq, state = 'owed', kid = :kid, at = :at, place = :place
WHERE ref = :envelope AND mailbox = :mailbox AND kind = 'delivery'

-- name: add_tombstone
INSERT INTO feed (mailbox, seq, kind, ref, at, tombstone, state, kid, envelope_ix, payload, place, moved)
VALUES (:mailbox, :seq, 'tombstone', NULL, :at, 1, '', NULL, NULL, NULL, :place, :moved)

-- name: find_delivery
SELECT ref, mailbox, seq, state, kid, at FROM feed WHERE ref = :envelope AND mailbox = :mailbox AND kind = 'delivery'

-- name: find_delivered
SELECT f.state, e.id, e.thread, e.type, e.sender, e.header, e.wraps, e.acceptance, e.header_sha256, e.sealed_sha256,
  e.length, e.opening, e.variant, e.at, e.accepted_at, e.ix, e.keep_until, e.supersedes, e.superseded_by, e.state,
  e.expire_at, e.expire_stage
FROM feed AS f JOIN envelope AS e ON e.ix = f.envelope_ix
WHERE f.ref = :envelope AND f.mailbox = :mailbox AND f.kind = 'delivery'

-- name: deliveries_of
SELECT ref, mailbox, seq, state, kid, at FROM feed WHERE ref = :envelope AND kind = 'delivery' ORDER BY mailbox

-- name: set_delivery_state
UPDATE feed SET state = :state WHERE ref = :envelope AND mailbox = :mailbox AND kind = 'delivery'

-- name: set_delivery_key
UPDATE feed SET kid = :kid WHERE ref = :envelope AND mailbox = :mailbox AND kind = 'delivery'

-- name: uncollected_by_key
SELECT ref, mailbox, seq, state, kid, at FROM feed WHERE kid = :kid AND kid IS NOT NULL AND state = 'owed' LIMIT :limit

-- Receipts ----------------------------------------------------------------------------------------------------------

-- name: find_receipt
SELECT id, envelope, mailbox, level, code, actor, at, accepted_at, jws, ix FROM receipt WHERE id = :id

-- name: add_receipt
INSERT INTO receipt (id, envelope, mailbox, level, code, actor, at, accepted_at, jws, ix)
VALUES (:id, :envelope, :mailbox, :level, :code, :actor, :at, :accepted_at, :jws, :ix)

-- name: receipts_of
SELECT id, envelope, mailbox, level, code, actor, at, accepted_at, jws, ix FROM receipt
WHERE envelope = :envelope ORDER BY envelope, mailbox, ix

-- name: last_receipt
SELECT id, envelope, mailbox, level, code, actor, at, accepted_at, jws, ix FROM receipt
WHERE envelope = :envelope AND mailbox = :mailbox ORDER BY ix DESC LIMIT 1

-- name: receipts_of_thread
SELECT r.id, r.envelope, r.mailbox, r.level, r.code, r.actor, r.at, r.accepted_at, r.jws, r.ix
FROM envelope AS e JOIN receipt AS r ON r.envelope = e.id
WHERE e.thread = :thread

-- Obligations -------------------------------------------------------------------------------------------------------

-- name: thread_obligations
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE thread = :thread

-- name: thread_obligations_open
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE thread = :thread AND state = 'open'

-- The periods that were missed pile up under a recurring rule's thread; few of them are not over at a moment.
-- name: period_obligations
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE thread = :thread AND period_ends > :at AND period_starts <= :at

-- A thread has few rows and a mailbox may owe many, so the expression keeps the planner to the thread's index.
-- name: receipts_owed
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE thread = :thread AND state = 'open' AND kind = 'receipt' AND debtor || '' = :debtor

-- name: find_obligation
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation WHERE id = :id

-- name: obligation_thread_of
SELECT thread FROM obligation WHERE id = :id

-- name: add_obligation
INSERT INTO obligation (id, kind, rule, family, thread, debtor, creditor, due, state, opened_at,
  settled_at, settled_by, step, next_at, duty, period_starts, period_ends)
VALUES (:id, :kind, :rule, :family, :thread, :debtor, :creditor, :due, :state, :opened_at,
  :settled_at, :settled_by, :step, :next_at, :duty, :period_starts, :period_ends)
ON CONFLICT (id) DO UPDATE SET due = excluded.due, state = excluded.state, opened_at = excluded.opened_at,
  settled_at = excluded.settled_at, settled_by = excluded.settled_by, step = excluded.step,
  next_at = excluded.next_at, duty = excluded.duty
WHERE obligation.state = 'superseded'

-- name: settle_obligation
UPDATE obligation SET state = :state, settled_at = :at, settled_by = :by, next_at = NULL WHERE id = :id

-- name: reopen_obligation
UPDATE obligation SET state = 'open', settled_at = NULL, settled_by = NULL, step = :step, next_at = :next_at
WHERE id = :id

-- name: advance_obligation
UPDATE obligation SET step = :step, next_at = :next_at WHERE id = :id

-- Reads the partial index of what the clock has to look at, never the rows that are at rest.
-- name: due_obligations
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE next_at <= :now ORDER BY next_at LIMIT :limit

-- name: recurred
SELECT at FROM recurrence WHERE one = 1

-- name: set_recurred
INSERT INTO recurrence (one, at) VALUES (1, :at) ON CONFLICT (one) DO UPDATE SET at = excluded.at

-- name: obligations_by_state
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE state = :state AND (due, id) > (:after_due, :after_id) AND due < :before ORDER BY due, id LIMIT :limit

-- name: obligations_by_debtor
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE debtor = :mailbox AND state = :state AND (due, id) > (:after_due, :after_id) AND due < :before
ORDER BY due, id LIMIT :limit

-- name: obligations_by_creditor
SELECT id, duty, state, opened_at, settled_at, settled_by, step, next_at FROM obligation
WHERE creditor = :mailbox AND state = :state AND (due, id) > (:after_due, :after_id) AND due < :before
ORDER BY due, id LIMIT :limit

-- Directory, agreement, keys ----------------------------------------------------------------------------------------

-- name: add_document
INSERT INTO document (kind, version, sha256, at, ix, document)
VALUES (:kind, :version, :sha256, :at, :ix, :document)

-- name: current_document
SELECT kind, version, sha256, document, at, ix FROM document
WHERE kind = :kind AND at <= :at ORDER BY version DESC LIMIT 1

-- name: find_document
SELECT kind, version, sha256, document, at, ix FROM document WHERE kind = :kind AND version = :version

-- name: document_versions
SELECT version, sha256, at, ix FROM document WHERE kind = :kind AND version < :before ORDER BY version DESC LIMIT :limit

-- name: documents
SELECT kind, version, sha256, document, at, ix FROM document WHERE kind = :kind ORDER BY version

-- name: outdate_key
UPDATE key_statement SET newest = 0 WHERE kid = :kid AND newest = 1

-- name: add_key
INSERT INTO key_statement (kid, ix, newest, agency, mailbox, purpose, sequence, state, not_before, expires,
  usable_from, compromised_from, at, statement, approval)
VALUES (:kid, :ix, 1, :agency, :mailbox, :purpose, :sequence, :state, :not_before, :expires, :usable_from,
  :compromised_from, :at, :statement, :approval)

-- name: keys
SELECT kid, agency, mailbox, purpose, sequence, state, not_before, expires, usable_from, compromised_from,
  statement, at, ix, approval
FROM key_statement WHERE newest = 1 ORDER BY ix

-- name: key_statements
SELECT kid, agency, mailbox, purpose, sequence, state, not_before, expires, usable_from, compromised_from,
  statement, at, ix, approval
FROM key_statement WHERE ix >= :after ORDER BY ix LIMIT :limit

-- name: key_history
SELECT kid, agency, mailbox, purpose, sequence, state, not_before, expires, usable_from, compromised_from,
  statement, at, ix, approval
FROM key_statement WHERE kid = :kid ORDER BY ix

-- People and programs at the console --------------------------------------------------------------------------------

-- name: add_account
INSERT INTO account (id, login, name, roles, state, password, otp, otp_used, subject, invited_by, version, at)
VALUES (:id, :login, :name, :roles, 'active', NULL, NULL, 0, NULL, NULL, 1, :at) ON CONFLICT (login) DO NOTHING

-- name: find_account
SELECT id, login, name, roles, state, version, at, password, otp, otp_used, subject, invited_by FROM account WHERE id = :id

-- name: find_account_by_login
SELECT id, login, name, roles, state, version, at, password, otp, otp_used, subject, invited_by FROM account WHERE login = :login

-- name: find_account_by_subject
SELECT id, login, name, roles, state, version, at, password, otp, otp_used, subject, invited_by FROM account
WHERE subject = :subject AND subject IS NOT NULL

-- name: accounts
SELECT id, login, name, roles, state, version, at, password, otp, otp_used, subject, invited_by FROM account
WHERE id > :after ORDER BY id LIMIT :limit

-- name: set_account
UPDATE account SET name = :name, roles = :roles, state = :state, version = version + 1 WHERE id = :id

-- name: set_account_secrets
UPDATE account SET password = :password, otp = :otp, otp_used = :otp_used, subject = :subject, invited_by = :invited_by
WHERE id = :id

-- name: set_account_code
INSERT INTO account_code (code, account, until) VALUES (:code, :account, :until)
ON CONFLICT (account) DO UPDATE SET code = excluded.code, until = excluded.until

-- name: find_account_code
SELECT account FROM account_code WHERE code = :code AND until > :now

-- name: drop_account_code
DELETE FROM account_code WHERE account = :account

-- name: add_account_passkey
INSERT INTO account_passkey (id, account, public, signed, name, at, used)
VALUES (:id, :account, :public, :signed, :name, :at, NULL) ON CONFLICT (id) DO NOTHING

-- name: find_account_passkey
SELECT id, account, public, signed, name, at, used FROM account_passkey WHERE id = :id

-- name: account_passkeys
SELECT id, account, public, signed, name, at, used FROM account_passkey WHERE account = :account

-- name: use_account_passkey
UPDATE account_passkey SET signed = :signed, used = :at WHERE id = :id

-- name: drop_account_passkey
DELETE FROM account_passkey WHERE id = :id AND account = :account

-- name: drop_account_passkeys
DELETE FROM account_passkey WHERE account = :account

-- name: add_account_session
INSERT INTO account_session (token, account, csrf, at, seen) VALUES (:token, :account, :csrf, :at, :at)

-- name: find_account_session
SELECT token, account, csrf, at, seen FROM account_session WHERE token = :token

-- name: see_account_session
UPDATE account_session SET seen = :seen WHERE token = :token

-- name: drop_account_session
DELETE FROM account_session WHERE token = :token

-- name: drop_account_sessions
DELETE FROM account_session WHERE account = :account

-- name: expire_account_sessions
DELETE FROM account_session WHERE seen < :seen

-- name: add_account_step
INSERT INTO account_step (token, kind, until, content) VALUES (:token, :kind, :until, :content)
ON CONFLICT (token) DO UPDATE SET kind = excluded.kind, until = excluded.until, content = excluded.content

-- name: find_account_step
SELECT content FROM account_step WHERE token = :token AND kind = :kind AND until > :now

-- name: drop_account_step
DELETE FROM account_step WHERE token = :token

-- name: expire_account_steps
DELETE FROM account_step WHERE until < :now

-- name: sign_in_count
SELECT failed, locked_until FROM sign_in_count WHERE who = :who

-- name: set_sign_in_count
INSERT INTO sign_in_count (who, failed, locked_until, at) VALUES (:who, :failed, :locked_until, :at)
ON CONFLICT (who) DO UPDATE SET failed = excluded.failed, locked_until = excluded.locked_until, at = excluded.at

-- name: drop_sign_in_count
DELETE FROM sign_in_count WHERE who = :who

-- name: expire_sign_in_counts
DELETE FROM sign_in_count WHERE at < :before

-- name: add_program
INSERT INTO program (id, token, account, name, scopes, at, until)
VALUES (:id, :token, :account, :name, :scopes, :at, :until)

-- name: find_program
SELECT id, account, name, scopes, at, until FROM program WHERE id = :id

-- name: find_program_by_token
SELECT id, account, name, scopes, at, until FROM program WHERE token = :token

-- name: programs
SELECT id, account, name, scopes, at, until FROM program WHERE id > :after ORDER BY id LIMIT :limit

-- name: end_program
UPDATE program SET until = :at WHERE id = :id AND until > :at

-- name: add_proposal
INSERT INTO proposal (id, act, about, reason, state, by_account, at, until, decided_by, decided_at)
VALUES (:id, :act, :about, :reason, 'proposed', :by_account, :at, :until, NULL, NULL)

-- name: find_proposal
SELECT id, act, about, reason, state, by_account, at, until, decided_by, decided_at FROM proposal WHERE id = :id

-- name: proposals
SELECT id, act, about, reason, state, by_account, at, until, decided_by, decided_at FROM proposal
WHERE state = :state AND id > :after ORDER BY id LIMIT :limit

-- name: proposals_lapsed
SELECT id, act, about, reason, state, by_account, at, until, decided_by, decided_at FROM proposal
WHERE state = 'proposed' AND until <= :now ORDER BY until LIMIT :limit

-- name: decide_proposal
UPDATE proposal SET state = :state, decided_by = :decided_by, decided_at = :decided_at WHERE id = :id

-- name: add_question
INSERT INTO question (id, title, filters, account, at) VALUES (:id, :title, :filters, :account, :at)

-- name: questions
SELECT id, title, filters, account, at FROM question WHERE id > :after ORDER BY id LIMIT :limit

-- Governance --------------------------------------------------------------------------------------------------------

-- name: add_hold
INSERT INTO legal_hold (id, thread, envelope, reason, at, ix, released_at, released_by, untold)
VALUES (:id, :thread, :envelope, :reason, :at, :ix, NULL, NULL, :ix)

-- name: find_hold
SELECT id, thread, envelope, reason, at, ix, released_at, released_by FROM legal_hold WHERE id = :id

-- name: holds_on
SELECT id, thread, envelope, reason, at, ix, released_at, released_by FROM legal_hold
WHERE thread = :thread AND released_at IS NULL

-- name: active_holds
SELECT id, thread, envelope, reason, at, ix, released_at, released_by FROM legal_hold
WHERE released_at IS NULL AND ix < :before ORDER BY ix DESC LIMIT :limit

-- name: every_hold
SELECT id, thread, envelope, reason, at, ix, released_at, released_by FROM legal_hold
WHERE ix < :before ORDER BY ix DESC LIMIT :limit

-- name: release_hold
UPDATE legal_hold SET released_at = :at, released_by = :proposal, untold = :ix WHERE id = :id

-- name: holds_to_tell
SELECT id, thread, envelope, reason, at, ix, released_at, released_by, untold FROM legal_hold
WHERE untold >= 0 ORDER BY untold LIMIT :limit

-- name: set_hold_told
UPDATE legal_hold SET untold = NULL WHERE id = :id

-- name: add_breach
INSERT INTO breach (envelope, thread, cause, state, at, ix) VALUES (:envelope, :thread, :cause, :state, :at, :ix)
ON CONFLICT (envelope) DO NOTHING

-- name: find_breach
SELECT envelope, thread, cause, state, at, ix FROM breach WHERE envelope = :envelope

-- name: every_breach
SELECT envelope, thread, cause, state, at, ix FROM breach WHERE ix < :before ORDER BY ix DESC LIMIT :limit

-- name: breaches_in_state
SELECT envelope, thread, cause, state, at, ix FROM breach
WHERE state = :state AND ix < :before ORDER BY ix DESC LIMIT :limit

-- name: set_breach_state
UPDATE breach SET state = :state WHERE envelope = :envelope

-- name: add_breach_step
INSERT INTO breach_step (envelope, ix, at, state, told_at, proposal)
VALUES (:envelope, :ix, :at, :state, :told_at, :proposal)

-- name: breach_steps
SELECT state, at, ix, proposal, told_at FROM breach_step WHERE envelope = :envelope ORDER BY ix

-- name: add_suspension
INSERT INTO suspension (kid, reason, at, ix, proposal) VALUES (:kid, :reason, :at, :ix, :proposal)
ON CONFLICT (kid) DO NOTHING

-- name: drop_suspension
DELETE FROM suspension WHERE kid = :kid

-- Read when the registry changes: few keys are ever suspended at once.
-- name: suspensions
SELECT kid, reason, at, ix, proposal FROM suspension WHERE kid > :after ORDER BY kid

-- name: add_draft
INSERT INTO draft (sha256, kind, version, payload, at) VALUES (:sha256, :kind, :version, :payload, :at)
ON CONFLICT (sha256) DO NOTHING

-- name: find_draft
SELECT sha256, kind, version, payload, at FROM draft WHERE sha256 = :sha256

-- Figures -----------------------------------------------------------------------------------------------------------

-- name: figure_place
SELECT size, basis FROM figure_place WHERE one = 1

-- name: set_figure_place
INSERT INTO figure_place (one, size, basis) VALUES (1, :size, :basis)
ON CONFLICT (one) DO UPDATE SET size = excluded.size, basis = excluded.basis

-- name: add_figure
INSERT INTO figure_sum (grain, low, high, bucket, family, creditor, debtor, facts, amount)
VALUES (:grain, :low, :high, :bucket, :family, :creditor, :debtor, :facts, :amount)
ON CONFLICT (grain, low, high, bucket, family, creditor, debtor, facts)
DO UPDATE SET amount = figure_sum.amount + excluded.amount

-- name: drop_empty_figures
DELETE FROM figure_sum WHERE amount = 0 AND grain >= 0

-- name: figure_sums
SELECT low, high, bucket, family, creditor, debtor, facts, amount FROM figure_sum
WHERE grain = :grain AND low >= :first AND low < :past AND high < :past

-- name: find_figure_part
SELECT parts FROM figure_part WHERE thread = :thread AND item = :item

-- name: set_figure_part
INSERT INTO figure_part (thread, item, parts) VALUES (:thread, :item, :parts)
ON CONFLICT (thread, item) DO UPDATE SET parts = excluded.parts

-- name: drop_figures_waiting
DELETE FROM figure_waiting WHERE thread = :thread AND item = :item

-- name: add_figure_waiting
INSERT INTO figure_waiting (thread, item, place, low, high, bucket, family, creditor, debtor, facts, amount, until,
  obligation, due)
VALUES (:thread, :item, :place, :low, :high, :bucket, :family, :creditor, :debtor, :facts, :amount, :until,
  :obligation, :due)

-- name: figures_waiting_from
SELECT thread, item, low, high, bucket, family, creditor, debtor, facts, amount, until, obligation, due
FROM figure_waiting WHERE until >= :until

-- name: figures_waiting_between
SELECT thread, item, low, high, bucket, family, creditor, debtor, facts, amount, until, obligation, due
FROM figure_waiting WHERE low >= :first AND low < :past AND high < :past

-- name: periods_met_in
SELECT o.thread, o.duty FROM envelope AS e JOIN obligation AS o ON o.settled_by = e.id
WHERE e.thread = :thread AND o.period_ends IS NOT NULL

-- name: forget_figure_sums
DELETE FROM figure_sum WHERE grain >= 0

-- name: forget_figure_parts
DELETE FROM figure_part WHERE thread >= :first

-- name: forget_figures_waiting
DELETE FROM figure_waiting WHERE thread >= :first

-- name: forget_named
DELETE FROM figure_named WHERE month >= 0

-- name: add_named
INSERT INTO figure_named (month, family, agency, sender, sent, named)
VALUES (:month, :family, :agency, :sender, :sent, :named)
ON CONFLICT (month, family, agency, sender)
DO UPDATE SET sent = figure_named.sent + excluded.sent, named = figure_named.named + excluded.named

-- name: named
SELECT month, family, agency, sender, sent, named FROM figure_named WHERE month >= :first AND month < :past

-- name: see_agency
INSERT INTO agency_seen (agency, at) VALUES (:agency, :at)
ON CONFLICT (agency) DO UPDATE SET at = excluded.at WHERE agency_seen.at < excluded.at

-- There are as many rows as agencies.
-- name: agencies_seen
SELECT agency, at FROM agency_seen WHERE agency > '' ORDER BY agency

-- The rest ----------------------------------------------------------------------------------------------------------

-- name: use_jti
INSERT INTO jti (jti, expires) VALUES (:jti, :expires) ON CONFLICT (jti) DO NOTHING

-- name: forget_jtis
DELETE FROM jti WHERE expires < :now

-- name: add_waiver
INSERT INTO waiver (id, obligation, at, ix, jws) VALUES (:id, :obligation, :at, :ix, :jws)

-- name: find_waiver
SELECT id, obligation, jws, at, ix FROM waiver WHERE id = :id

-- name: add_withdrawal
INSERT INTO withdrawal (id, envelope, at, ix, jws) VALUES (:id, :envelope, :at, :ix, :jws)

-- name: find_withdrawal
SELECT id, envelope, jws, at, ix FROM withdrawal WHERE id = :id

-- name: withdrawals_of
SELECT id, envelope, jws, at, ix FROM withdrawal WHERE envelope = :envelope

-- The MESH front door -----------------------------------------------------------------------------------------------

-- name: set_mesh_mailbox
INSERT INTO mesh_mailbox (mailbox, secrets, at, through) VALUES (:mailbox, :secrets, :at, 0)
ON CONFLICT (mailbox) DO UPDATE SET secrets = :secrets, at = :at

-- name: find_mesh_mailbox
SELECT mailbox, secrets, at, through FROM mesh_mailbox WHERE mailbox = :mailbox

-- name: mesh_mailboxes
SELECT mailbox, secrets, at, through FROM mesh_mailbox WHERE mailbox > :after ORDER BY mailbox LIMIT :limit

-- name: drop_mesh_mailbox
DELETE FROM mesh_mailbox WHERE mailbox = :mailbox

-- name: use_mesh_token
INSERT INTO mesh_token (token, request, until) VALUES (:token, :request, :until) ON CONFLICT (token) DO NOTHING

-- name: find_mesh_token
SELECT request FROM mesh_token WHERE token = :token

-- name: forget_mesh_tokens
DELETE FROM mesh_token WHERE until < :now

-- name: mesh_inbox
SELECT f.seq, f.kind, f.ref, e.type, s.type
FROM feed AS f
LEFT JOIN envelope AS e ON e.ix = f.envelope_ix
LEFT JOIN receipt AS r ON f.kind = 'receipt' AND r.id = f.ref
LEFT JOIN envelope AS s ON s.id = r.envelope
WHERE f.mailbox = :mailbox AND f.seq > :after AND f.tombstone = 0 AND f.state <> 'gone'
  AND (e.state IS NULL OR e.state = 'present')
  AND NOT EXISTS (SELECT 1 FROM mesh_acknowledged AS a WHERE a.mailbox = f.mailbox AND a.seq = f.seq)
ORDER BY f.seq LIMIT :limit

-- name: mesh_inbox_size
SELECT COUNT(*) FROM feed AS f
WHERE f.mailbox = :mailbox AND f.seq > :after AND f.tombstone = 0 AND f.state <> 'gone'
  AND NOT EXISTS (SELECT 1 FROM mesh_acknowledged AS a WHERE a.mailbox = f.mailbox AND a.seq = f.seq)

-- name: mesh_entry
SELECT seq, at, state, tombstone, payload FROM feed WHERE ref = :ref AND mailbox = :mailbox AND kind = :kind

-- name: mesh_acknowledge
INSERT INTO mesh_acknowledged (mailbox, seq, at) VALUES (:mailbox, :seq, :at) ON CONFLICT (mailbox, seq) DO NOTHING

-- name: is_mesh_acknowledged
SELECT 1 FROM mesh_acknowledged WHERE mailbox = :mailbox AND seq = :seq

-- What is not acknowledged, the oldest of it.
-- name: mesh_first_left
SELECT f.seq FROM feed AS f
WHERE f.mailbox = :mailbox AND f.seq > :after AND f.tombstone = 0
  AND NOT EXISTS (SELECT 1 FROM mesh_acknowledged AS a WHERE a.mailbox = f.mailbox AND a.seq = f.seq)
ORDER BY f.seq LIMIT 1

-- name: set_mesh_through
UPDATE mesh_mailbox SET through = :through WHERE mailbox = :mailbox

-- name: drop_mesh_acknowledged
DELETE FROM mesh_acknowledged WHERE mailbox = :mailbox AND seq <= :through

-- name: add_mesh_sent
INSERT INTO mesh_sent (id, sender, recipient, workflow, local_id, told, parts, encoding, first, state, at, ref, kind, code,
  duty, due, reported, report_taken)
VALUES (:id, :sender, :recipient, :workflow, :local_id, :told, :parts, :encoding, :first, :state, :at, :ref, :kind, :code,
  :duty, :due, :reported, :report_taken)
ON CONFLICT (id) DO NOTHING

-- name: finish_mesh_sent
UPDATE mesh_sent SET state = :state, ref = :ref, kind = :kind, code = :code, duty = :duty, due = :due WHERE id = :id

-- name: find_mesh_sent
SELECT id, sender, recipient, workflow, local_id, told, parts, encoding, first, state, at, ref, kind, code, duty, due,
  reported, report_taken
FROM mesh_sent WHERE id = :id

-- name: mesh_sent_before
SELECT id, sender, recipient, workflow, local_id, told, parts, encoding, first, state, at, ref, kind, code, duty, due,
  reported, report_taken
FROM mesh_sent
WHERE sender = :sender AND recipient = :recipient AND workflow = :workflow AND local_id = :local_id AND first = :first
  AND state <> 'error'

-- name: mesh_sent_called
SELECT id, sender, recipient, workflow, local_id, told, parts, encoding, first, state, at, ref, kind, code, duty, due,
  reported, report_taken
FROM mesh_sent WHERE sender = :sender AND local_id = :local_id LIMIT :limit

-- name: mesh_sent_as
SELECT id, sender, recipient, workflow, local_id, told, parts, encoding, first, state, at, ref, kind, code, duty, due,
  reported, report_taken
FROM mesh_sent WHERE ref = :ref AND recipient = :recipient AND ref IS NOT NULL

-- name: mesh_sent_due
SELECT id, sender, recipient, workflow, local_id, told, parts, encoding, first, state, at, ref, kind, code, duty, due,
  reported, report_taken
FROM mesh_sent WHERE sender = :sender AND due <= :now AND due IS NOT NULL AND reported IS NULL LIMIT :limit

-- name: mesh_reports
SELECT id, sender, recipient, workflow, local_id, told, parts, encoding, first, state, at, ref, kind, code, duty, due,
  reported, report_taken
FROM mesh_sent
WHERE sender = :sender AND id > :after AND reported IS NOT NULL AND report_taken IS NULL ORDER BY id LIMIT :limit

-- name: set_mesh_report
UPDATE mesh_sent SET due = :due, reported = :reported, report_taken = :report_taken WHERE id = :id

-- name: mesh_uploads
SELECT id, at FROM mesh_sent WHERE sender = :sender AND state = 'uploading' ORDER BY at LIMIT :limit

-- name: forget_mesh_parts
DELETE FROM mesh_part WHERE id IN (SELECT id FROM mesh_sent WHERE at < :before)

-- name: forget_mesh_sent
DELETE FROM mesh_sent WHERE at < :before

-- name: set_mesh_part
INSERT INTO mesh_part (id, number, sha256, size, content) VALUES (:id, :number, :sha256, :size, :content)
ON CONFLICT (id, number) DO UPDATE SET sha256 = :sha256, size = :size, content = :content

-- name: mesh_part_digests
SELECT number, sha256, size FROM mesh_part WHERE id = :id ORDER BY number

-- name: mesh_part_contents
SELECT content FROM mesh_part WHERE id = :id AND content IS NOT NULL ORDER BY number

-- name: empty_mesh_parts
UPDATE mesh_part SET content = NULL WHERE id = :id

-- Migrations --------------------------------------------------------------------------------------------------------

-- name: migration_table
CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL, sha256 BYTEA NOT NULL)

-- name: migrations
SELECT number, name, sha256 FROM migration ORDER BY number

-- name: add_migration
INSERT INTO migration (number, name, sha256) VALUES (:number, :name, :sha256)
