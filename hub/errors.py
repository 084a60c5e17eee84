"""What can go wrong, by name: three families of error, the refusal as a value, and every permanent code.

A code is never renamed or reused.  Pages, problem details and ``docs/errors.md`` take status and title from
:data:`CODES`.  Which status an answer really has is the web layer's decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple


class HubError(Exception):
    """What the caller did can't be done.  ``message`` names the thing and the rule, ``hint`` the way out.

    Neither ever holds payload, a key, a person's name, or whether something exists that the caller isn't party to.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class MalformedError(HubError):
    """The bytes are not what they should be.  Nothing is recorded, because nobody can be held to them."""


class NotAuthenticError(HubError):
    """Not signed by a current key of whom it names, or not by the caller.  Nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An authentic wish that the rules refuse: a value until after commit, so that the refusal itself is kept."""

    code: str
    message: str
    hint: str = ""


class RefusedError(HubError):
    """The rules don't allow it.  The refusal is in the audit log by the time that this is raised."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code, refusal.message, refusal.hint)
        self.refusal = refusal


class Known(NamedTuple):
    """What is fixed about a code: the HTTP status it suggests and a title for pages."""

    status: int
    title: str


CODES: Final[Mapping[str, Known]] = MappingProxyType(
    {
        code: Known(status, title)
        for code, status, title in (
            # Requests
            ("not-found", 404, "Nothing here, or not yours"),
            ("method-not-allowed", 405, "This method isn't offered here"),
            ("request-invalid", 400, "The request isn't as documented"),
            ("request-too-large", 413, "The request is too large"),
            ("request-too-slow", 408, "The request came too slowly"),
            ("request-cut-short", 400, "The request ended before its end"),
            ("content-encoding", 415, "Encoded content isn't accepted"),
            ("media-type", 415, "This media type isn't accepted"),
            ("range-unsatisfiable", 416, "That range isn't in the body"),
            ("too-many-requests", 429, "Too many requests at once"),
            ("internal", 500, "Internal error"),
            ("unavailable", 503, "Not available just now"),
            ("store-busy", 503, "The database is busy"),
            ("store-full", 507, "The disk is full"),
            ("store-locked", 503, "Another process has the database"),
            # Who is asking
            ("token-missing", 401, "An access token is needed"),
            ("token-invalid", 401, "The access token isn't valid"),
            ("token-syntax", 401, "The access token isn't one of ours"),
            ("token-header", 401, "The access token isn't one of ours"),
            ("token-signature", 401, "The access token's signature isn't right"),
            ("token-claims", 401, "The access token's claims aren't ours"),
            ("token-expired", 401, "The access token has expired"),
            ("token-key-unknown", 401, "The token names a key that its issuer does not publish"),
            ("token-scope", 403, "The access token doesn't allow this"),
            ("assertion-invalid", 401, "The assertion isn't valid"),
            ("assertion-used", 401, "The assertion was used before"),
            ("assertion-expired", 401, "The assertion has expired or lasts too long"),
            ("assertion-subject", 400, "The assertion is signed in for somebody else"),
            ("assertion-lifetime", 400, "The assertion lives too long"),
            ("agency-not-active", 403, "The agency isn't active in the directory"),
            ("program-name", 422, "No name for a program's token"),
            ("program-scope", 422, "Not what a program's token may be for"),
            ("program-days", 422, "A program's token lasts too long"),
            ("program-unknown", 404, "No such program's token"),
            # People at the console
            ("account-login", 422, "Not a login"),
            ("account-name", 422, "Not a name"),
            ("account-role", 422, "Not a role at the console"),
            ("account-exists", 409, "There is an account with that login"),
            ("account-unknown", 404, "No such account"),
            ("account-ended", 409, "The account has ended"),
            ("account-password", 422, "The password is too short or too long"),
            ("account-otp", 422, "The one-time code isn't right"),
            ("account-code", 422, "The code has ended or was used"),
            ("passkey-wrong", 422, "The passkey could not be added"),
            ("passkey-name", 422, "Not a name for a passkey"),
            ("passkey-many", 409, "Too many passkeys"),
            ("sign-in-busy", 503, "Too many people are signing in at once"),
            ("oidc-state", 422, "The answer belongs to another sign-in"),
            ("oidc-step", 422, "This sign-in has ended"),
            ("oidc-refused", 422, "The organisation did not sign them in"),
            ("oidc-away", 503, "The organisation's sign-in can't be reached"),
            ("oidc-answer", 422, "The organisation's sign-in answered something odd"),
            ("oidc-token", 422, "The organisation's sign-in can't be trusted as it is"),
            ("oidc-stranger", 403, "No account here"),
            ("form-origin", 403, "The form came from another place"),
            ("form-session", 403, "The form is from an earlier session"),
            ("form-shape", 400, "The form could not be read"),
            ("form-too-large", 413, "The form is too large"),
            ("form-too-slow", 408, "The form came too slowly"),
            # The MESH front door
            ("mesh-mailbox", 422, "Not a mailbox that can use MESH"),
            ("mesh-unknown", 404, "The mailbox doesn't use MESH"),
            # What takes two people
            ("act-unknown", 404, "No such proposal or act"),
            ("act-right", 403, "Your role doesn't allow this"),
            ("act-reason", 422, "Not a reason for this act"),
            ("act-decided", 409, "It was decided already"),
            ("act-lapsed", 409, "Nobody decided it in time"),
            ("act-second-person", 403, "It takes a second person"),
            # Strict JSON and shapes
            ("json-syntax", 400, "Not UTF-8 JSON"),
            ("json-duplicate-member", 400, "A member stands twice"),
            ("json-number", 400, "A number is out of range"),
            ("json-surrogate", 400, "Half a surrogate pair"),
            ("json-type", 400, "A fraction or null where neither may stand"),
            ("json-depth", 400, "Nested too deeply"),
            ("json-too-long", 413, "The document is too long"),
            ("json-shape", 400, "The document isn't of its schema"),
            ("b64u", 400, "Not canonical base64url"),
            # Envelopes
            ("envelope-parts", 400, "Not the three parts of an envelope"),
            ("envelope-too-long", 413, "The envelope is too long"),
            ("envelope-batch", 400, "Not a batch of envelopes"),
            ("envelope-id-reused", 409, "The envelope's id was used before"),
            ("header-order", 400, "Recipients or parties aren't sorted"),
            ("header-item-twice", 400, "Two items have one reference"),
            ("header-keep-until", 400, "The moment to keep it until is out of range"),
            ("wraps-mismatch", 400, "The wraps don't belong to the header"),
            ("jws-syntax", 400, "Not a compact JWS"),
            ("jws-header", 400, "The JWS header isn't exactly as required"),
            ("jws-signature", 401, "The signature isn't right"),
            ("key-kind", 400, "Not the kind of key that is needed"),
            ("key-weak", 400, "A key under which signatures prove nothing"),
            ("key-unknown", 401, "The key isn't known here"),
            ("key-not-active", 401, "The key isn't active"),
            ("key-foreign", 403, "The key belongs to somebody else"),
            ("body-length", 400, "The body isn't as long as its header says"),
            ("body-digest", 400, "The body isn't the one its header names"),
            ("sender-not-caller", 403, "The sender isn't the caller"),
            ("sender-ended", 403, "The sending mailbox has ended"),
            ("recipient-unknown", 422, "A recipient isn't in the directory"),
            ("recipient-key", 422, "A wrap names a key that isn't its recipient's"),
            ("agreement-outdated", 409, "The agreement has changed"),
            ("type-unknown", 422, "The agreement doesn't have this type"),
            ("type-not-allowed", 403, "The agreement doesn't let this mailbox send this type"),
            ("recipient-not-allowed", 403, "The agreement doesn't let this type go there"),
            ("basis-not-allowed", 422, "The agreement doesn't know this basis for the type"),
            ("retention-unknown", 422, "The agreement doesn't have this retention label"),
            ("at-in-future", 422, "The event lies in the future"),
            ("keep-until-too-late", 422, "The envelope asks to be kept too long"),
            ("keep-until-past", 422, "The moment to keep it until is past"),
            ("party-unknown", 422, "A party isn't in the directory"),
            ("recipient-reads-other", 422, "A recipient doesn't read this version of the type yet"),
            ("too-many-duties", 422, "It would open too many obligations at once"),
            ("supersedes-mismatch", 422, "It can't supersede that envelope"),
            ("supersedes-older", 409, "A newer version has replaced it already"),
            # Receipts, wraps, withdrawal, waivers
            ("receipt-members", 400, "The receipt lacks a member or has one too many"),
            ("receipt-id-reused", 409, "The receipt's id was used before"),
            ("receipt-unknown-envelope", 404, "No such delivery"),
            ("receipt-out-of-order", 409, "That level can't follow the one before"),
            ("receipt-opening", 422, "The receipt doesn't show that the body was opened"),
            ("receipt-digest", 422, "The receipt is about another body"),
            ("receipt-previous", 409, "The receipt doesn't follow the mailbox's last one"),
            ("receipt-in-future", 422, "The receipt comes from the future"),
            ("wraps-not-needed", 409, "The wraps can't be replaced any more"),
            ("withdrawal-mismatch", 422, "The withdrawal names another envelope"),
            ("withdrawal-id-reused", 409, "The withdrawal's id was used before"),
            ("waiver-not-party", 403, "Only a party to the obligation may waive it"),
            ("waiver-id-reused", 409, "The waiver's id was used before"),
            ("waiver-reason", 422, "The agreement doesn't know this reason"),
            ("waiver-not-open", 409, "The obligation isn't open"),
            ("question-title", 422, "Not a title for a question"),
            ("question-filters", 422, "Not a question to the log"),
            ("question-too-many", 409, "There are too many saved questions"),
            ("obligation-unknown", 404, "The hub knows of no such obligation"),
            ("chase-not-overdue", 409, "Nothing is overdue there"),
            ("chase-too-soon", 429, "Who owes it was reminded less than an hour ago"),
            ("waiver-second", 400, "A waiver needs a second person"),
            ("waiver-confirmation", 400, "Only what was met elsewhere names who confirmed"),
            ("notice-members", 400, "The notice lacks what it speaks of"),
            # Signed documents
            ("directory-twice", 400, "The directory names something twice"),
            ("directory-threshold", 400, "More officers must sign than there are"),
            ("directory-agency", 400, "A mailbox stands under another agency"),
            ("directory-successor", 400, "A successor isn't in the directory"),
            ("directory-mailbox", 400, "A mailbox names one that isn't listed"),
            ("document-version", 409, "Not the next version"),
            ("document-previous", 409, "It doesn't follow the version before"),
            ("document-signatures", 401, "Too few officers signed it"),
            ("document-payloads", 400, "The signatures are over different payloads"),
            ("document-partnership", 422, "The document is another partnership's"),
            ("agreement-text", 400, "The agreement's text isn't as it must be"),
            ("agreement-calendar", 400, "A calendar can't be made"),
            ("agreement-clock", 400, "A time limit can't be read"),
            ("agreement-date", 400, "Dates are out of order"),
            ("agreement-gate", 400, "A rule waits for itself"),
            ("agreement-lapse", 400, "What lapses is never overdue"),
            ("agreement-loop", 400, "Duties can keep one another open for ever"),
            ("agreement-never", 400, "A rule asks for what the agreement forbids"),
            ("agreement-retention", 400, "A retention label contradicts itself"),
            ("agreement-role", 400, "A role isn't among those agreed"),
            ("agreement-rule-differs", 400, "One rule name means two duties"),
            ("agreement-rule-twice", 400, "Two rules have one name"),
            ("agreement-rule-unknown", 400, "A rule speaks of one that isn't there"),
            ("agreement-selector", 400, "A selector isn't known"),
            ("agreement-target", 400, "A ladder tells somebody who can't be"),
            ("agreement-type", 400, "A rule awaits a type that isn't agreed"),
            ("places-text", 400, "The agencies' text isn't as it must be"),
            ("places-mailbox", 400, "A mailbox stands under another agency"),
            ("simulation-text", 400, "The events' text isn't as it must be"),
            ("simulation-name", 400, "An event speaks of one that isn't there"),
            ("key-statement", 400, "The key statement contradicts itself"),
            ("key-revoked", 409, "The key was revoked for good"),
            ("key-changed", 409, "A known key keeps its use and mailbox"),
            ("key-sequence", 409, "Not the key's next statement"),
            ("key-identity", 401, "The statement isn't signed by the agency's identity key"),
            ("key-proof", 401, "Possession of the key isn't shown"),
            ("key-officer", 403, "An officer's word is needed for so young a key"),
            ("agency-unknown", 422, "The agency isn't in the directory"),
            ("key-suspended", 401, "The key is suspended"),
            # Holds, breaches, suspensions, drafts
            ("thread-unknown", 404, "The hub has nothing of this thread"),
            ("hold-unknown", 404, "There is no such hold"),
            ("hold-released", 409, "The hold was released before"),
            ("breach-unknown", 404, "There is no such record of a breach"),
            ("breach-order", 409, "The record isn't at the step before"),
            ("breach-moment", 400, "The regulator can't have been told then"),
            ("suspension-key", 409, "The key can't be suspended"),
            ("suspension-none", 409, "The key isn't suspended"),
            ("draft", 422, "The file is no draft that officers could sign"),
            ("draft-unknown", 404, "There is no such draft"),
            ("draft-outdated", 409, "The draft doesn't follow the version in force"),
            ("certificate", 422, "This is no certificate"),
            # Audit log
            ("tile-unknown", 404, "The log doesn't reach so far"),
            ("proof-range", 400, "No proof between these sizes"),
            ("merkle-proof", 400, "A proof doesn't fit the tree"),
            ("merkle-range", 400, "The tree has no such leaf"),
            ("merkle-frontier", 400, "A tree's frontier isn't of its size"),
            ("note-syntax", 400, "Not a signed note"),
            ("note-base64", 400, "A value in a note isn't base64"),
            ("note-checkpoint", 400, "Not a checkpoint"),
            ("note-proof", 400, "Not a proof file"),
            ("note-key", 400, "A note key of the wrong kind"),
            ("note-name", 400, "A note key's name can't be used"),
            ("note-origin", 400, "Another log's checkpoint"),
            ("note-signature", 400, "A note's signature isn't right"),
            ("note-unsigned", 400, "Not signed by a key that counts"),
            ("evidence", 400, "The export lacks what a leaf stands for"),
            ("evidence-entry", 400, "An entry of evidence is neither a leaf nor the hash of one"),
            ("no-checkpoint", 404, "No checkpoint is signed yet"),
            ("directory-witnesses", 400, "The directory's witness policy can't be judged by"),
            ("witness-unreachable", 503, "A witness can't be reached"),
            ("witness-answer", 502, "A witness answered something else than it should"),
            ("witness-key", 502, "A witness doesn't know the log's keys"),
            ("witness-log", 502, "A witness doesn't follow this log"),
            ("witness-proof", 502, "A witness was not convinced that the log only grew"),
            ("witness-ahead", 502, "A witness cosigned a longer log than this hub has"),
            ("witness-conflict", 502, "A witness cosigned another log of this size"),
            ("cosignature-unknown", 422, "Not a line of a known witness over a known checkpoint"),
            ("rolled-back", 503, "The database is older than the last signed checkpoint"),
            # Sealed content: only gateways and verifiers meet these
            ("wrap-open", 400, "A wrap doesn't open"),
            ("seal-key", 400, "Not a content key"),
            ("seal-commitment", 400, "The body wasn't made with this key"),
            ("seal-truncated", 400, "The body is cut short"),
            ("seal-chunk", 400, "A chunk of the body was altered"),
            ("seal-layout", 400, "The body doesn't begin with a manifest"),
            ("seal-padding", 400, "Documents and padding aren't as the manifest says"),
            ("manifest-order", 400, "Recipients in the manifest aren't sorted"),
            ("manifest-name-twice", 400, "Two documents have one name"),
            ("manifest-message", 400, "The manifest points at no message"),
            ("message-schema", 400, "The message isn't of its schema"),
            ("message-type-unknown", 400, "The message type isn't known here"),
            ("message-field", 400, "The message type has no such field"),
            ("message-item-twice", 400, "Two items of the message have one identifier"),
            ("message-too-many", 400, "The message has too many parties or items"),
            ("message-too-costly", 400, "Checking the message takes too long"),
            ("matching-point", 400, "A value of the at-risk matching can't be used"),
            ("matching-key", 400, "Not the key of an at-risk list"),
            ("matching-missing", 500, "The library for the at-risk matching isn't installed"),
            ("recovery-share", 400, "Not a share of a recovery key"),
            ("recovery-pair", 400, "Two shares that don't belong together"),
            ("recovery-copy", 400, "The recovery copy can't be used"),
            ("schema-lint", 422, "A message type's schema breaks a rule"),
            ("schema-twice", 422, "Two message types have one name"),
            # Commands
            ("config", 500, "The configuration can't be used"),
            ("home", 500, "The hub's folder can't be used"),
            ("passphrase", 500, "The key file can't be opened"),
            ("vault-kind", 500, "Not the key file that it should be"),
            ("vault-open", 500, "The key file doesn't open"),
            ("vault-version", 500, "The key file is of another version"),
            ("store-backup", 500, "The database can't be copied so"),
            ("store-damaged", 500, "The database isn't what this program wrote"),
            ("export", 422, "The export can't be read"),
            ("enrolment", 422, "The enrolment request can't be used"),
            ("ceremony", 422, "A file of a key ceremony isn't what it must be"),
            ("ceremony-officer", 422, "The key isn't an officer's who must sign"),
            ("ceremony-signatures", 422, "Too few officers signed the draft"),
            ("officer-device", 500, "The device with the officer's key can't be used"),
        )
    }
)


def known(code: str) -> Known:
    """Return status and title of *code*; one that isn't in the table is somebody's malformed input: 400."""
    return CODES.get(code) or Known(400, code.replace("-", " ").capitalize())
