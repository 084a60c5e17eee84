"""The one transaction, and all that can be said in it.

A verb is a plain function of its topic's module, listed here.  Reading verbs work in ``Store.read`` and
``Store.write``, the others in ``write`` only.
"""

from __future__ import annotations

from hub.store import accounts as people
from hub.store import envelopes, feeds, figures, governance, log, mesh, obligations, questions, registered, witnesses
from hub.store.session import Session


class Transaction(Session):
    """What a ``work`` function gets.  Good for that function's run only: never keep it, never use it elsewhere."""

    __slots__ = ()

    add_leaf = log.add_leaf
    add_node = log.add_node
    leaves = log.leaves
    leaf_hashes = log.leaf_hashes
    nodes = log.nodes
    find_leaves = log.find_leaves
    last_leaves = log.last_leaves
    search_leaves = log.search_leaves
    add_checkpoint = log.add_checkpoint
    last_checkpoint = log.last_checkpoint
    find_checkpoint = log.find_checkpoint
    add_cosignature = log.add_cosignature
    cosignatures = log.cosignatures
    last_cosigned = log.last_cosigned
    find_cosignature = witnesses.find_cosignature
    checkpoint_moment = witnesses.checkpoint_moment
    find_witness = witnesses.find_witness
    list_witnesses = witnesses.list_witnesses
    put_witness = witnesses.put_witness

    find_envelope = envelopes.find_envelope
    thread_envelopes = envelopes.thread_envelopes
    envelopes_to_expire = envelopes.envelopes_to_expire
    envelopes_expiring = envelopes.envelopes_expiring
    set_expiry = envelopes.set_expiry
    add_envelope = envelopes.add_envelope
    body = envelopes.body
    drop_body = envelopes.drop_body
    replace_wraps = envelopes.replace_wraps
    set_envelope_state = envelopes.set_envelope_state
    mark_superseded = envelopes.mark_superseded
    find_receipt = envelopes.find_receipt
    add_receipt = envelopes.add_receipt
    receipts_of = envelopes.receipts_of
    last_receipt = envelopes.last_receipt
    receipts_for_threads = envelopes.receipts_for_threads
    add_withdrawal = envelopes.add_withdrawal
    find_withdrawal = envelopes.find_withdrawal
    withdrawals_of = envelopes.withdrawals_of

    add_deliveries = feeds.add_deliveries
    find_delivery = feeds.find_delivery
    find_delivered = feeds.find_delivered
    deliveries_of = feeds.deliveries_of
    set_delivery_state = feeds.set_delivery_state
    set_delivery_key = feeds.set_delivery_key
    redeliver = feeds.redeliver
    uncollected_by_key = feeds.uncollected_by_key
    add_feed = feeds.add_feed
    numbers_given = feeds.numbers_given
    feed = feeds.feed
    feed_deliveries = feeds.feed_deliveries
    tombstone = feeds.tombstone

    thread_obligations = obligations.thread_obligations
    period_obligations = obligations.period_obligations
    receipts_owed = obligations.receipts_owed
    find_obligation = obligations.find_obligation
    add_obligations = obligations.add_obligations
    settle_obligation = obligations.settle_obligation
    reopen_obligation = obligations.reopen_obligation
    advance_obligation = obligations.advance_obligation
    due_obligations = obligations.due_obligations
    recurred = obligations.recurred
    set_recurred = obligations.set_recurred
    list_obligations = obligations.list_obligations
    obligations_between = obligations.obligations_between
    add_waiver = obligations.add_waiver
    find_waiver = obligations.find_waiver

    add_document = registered.add_document
    current_document = registered.current_document
    find_document = registered.find_document
    documents = registered.documents
    document_versions = registered.document_versions
    add_key = registered.add_key
    keys = registered.keys
    key_statements = registered.key_statements
    key_history = registered.key_history
    use_jti = registered.use_jti
    forget_jtis = registered.forget_jtis

    add_account = people.add_account
    find_account = people.find_account
    find_account_by_login = people.find_account_by_login
    find_account_by_subject = people.find_account_by_subject
    accounts = people.accounts
    set_account = people.set_account
    set_account_secrets = people.set_account_secrets
    set_account_code = people.set_account_code
    find_account_code = people.find_account_code
    drop_account_code = people.drop_account_code
    add_account_passkey = people.add_account_passkey
    find_account_passkey = people.find_account_passkey
    account_passkeys = people.account_passkeys
    use_account_passkey = people.use_account_passkey
    drop_account_passkey = people.drop_account_passkey
    drop_account_passkeys = people.drop_account_passkeys
    add_account_session = people.add_account_session
    find_account_session = people.find_account_session
    see_account_session = people.see_account_session
    drop_account_session = people.drop_account_session
    drop_account_sessions = people.drop_account_sessions
    add_account_step = people.add_account_step
    find_account_step = people.find_account_step
    drop_account_step = people.drop_account_step
    sign_in_count = people.sign_in_count
    set_sign_in_count = people.set_sign_in_count
    drop_sign_in_count = people.drop_sign_in_count
    expire_signing_in = people.expire_signing_in
    add_program = people.add_program
    find_program = people.find_program
    find_program_by_token = people.find_program_by_token
    programs = people.programs
    end_program = people.end_program
    add_proposal = people.add_proposal
    find_proposal = people.find_proposal
    proposals = people.proposals
    proposals_lapsed = people.proposals_lapsed
    decide_proposal = people.decide_proposal
    add_question = questions.add_question
    questions = questions.questions

    add_hold = governance.add_hold
    find_hold = governance.find_hold
    holds_on = governance.holds_on
    holds = governance.holds
    release_hold = governance.release_hold
    holds_to_tell = governance.holds_to_tell
    set_hold_told = governance.set_hold_told
    add_breach = governance.add_breach
    find_breach = governance.find_breach
    breaches = governance.breaches
    add_breach_step = governance.add_breach_step
    breach_steps = governance.breach_steps
    add_suspension = governance.add_suspension
    drop_suspension = governance.drop_suspension
    suspensions = governance.suspensions
    add_draft = governance.add_draft
    find_draft = governance.find_draft

    figure_place = figures.figure_place
    set_figure_place = figures.set_figure_place
    add_figures = figures.add_figures
    drop_empty_figures = figures.drop_empty_figures
    figure_sums = figures.figure_sums
    find_figure_part = figures.find_figure_part
    set_figure_part = figures.set_figure_part
    figures_waiting_from = figures.figures_waiting_from
    figures_waiting_between = figures.figures_waiting_between
    periods_met_in = figures.periods_met_in
    forget_figures = figures.forget_figures
    add_named = figures.add_named
    named = figures.named
    see_agencies = figures.see_agencies
    agencies_seen = figures.agencies_seen

    set_mesh_mailbox = mesh.set_mesh_mailbox
    find_mesh_mailbox = mesh.find_mesh_mailbox
    mesh_mailboxes = mesh.mesh_mailboxes
    drop_mesh_mailbox = mesh.drop_mesh_mailbox
    use_mesh_token = mesh.use_mesh_token
    forget_mesh_tokens = mesh.forget_mesh_tokens
    mesh_inbox = mesh.mesh_inbox
    mesh_inbox_size = mesh.mesh_inbox_size
    mesh_entry = mesh.mesh_entry
    mesh_acknowledge = mesh.mesh_acknowledge
    is_mesh_acknowledged = mesh.is_mesh_acknowledged
    add_mesh_sent = mesh.add_mesh_sent
    finish_mesh_sent = mesh.finish_mesh_sent
    find_mesh_sent = mesh.find_mesh_sent
    mesh_sent_before = mesh.mesh_sent_before
    mesh_sent_called = mesh.mesh_sent_called
    mesh_sent_as = mesh.mesh_sent_as
    mesh_sent_due = mesh.mesh_sent_due
    mesh_reports = mesh.mesh_reports
    set_mesh_report = mesh.set_mesh_report
    forget_mesh_sent = mesh.forget_mesh_sent
    mesh_uploads = mesh.mesh_uploads
    set_mesh_part = mesh.set_mesh_part
    mesh_part_digests = mesh.mesh_part_digests
    mesh_part_contents = mesh.mesh_part_contents
    empty_mesh_parts = mesh.empty_mesh_parts
