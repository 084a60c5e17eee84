"""Names at the MESH front door: one for each message, upper case, and nothing else is read as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub import mesh
from keys.digests import b64u, new_id
from schemas.rules.compiled import Rules
from tests.county import CAIT, MASH, NURSES, START
from tests.hub.support import facts

KINDS = ("delivery", "receipt", "notice", "waiver")


@given(kind=st.sampled_from(KINDS), raw=st.binary(min_size=16, max_size=16), box=st.sampled_from((MASH, NURSES, CAIT)))
def test_a_name_says_what_it_was_made_of(kind: str, raw: bytes, box: str) -> None:
    """For its own mailbox, and for no other; in upper-case letters and digits."""
    name = mesh.message_name(kind, b64u(raw), box)
    assert mesh.parse_name(name, box) == (kind, b64u(raw))
    assert mesh.is_name(name)
    assert name == name.upper()
    assert [one for one in (MASH, NURSES, CAIT) if mesh.parse_name(name, one)] == [box]


@given(st.one_of(st.text(max_size=80), st.from_regex(r"\A[DRNW][A-Z2-9]{20,40}\Z")))
def test_whatever_is_asked_for_is_a_name_or_nothing(text: str) -> None:
    """Nothing raises, and what is read is spelt in one way only."""
    entry = mesh.parse_name(text, MASH)
    assert entry is None or mesh.message_name(*entry, MASH) == text


def test_every_type_of_the_agreement_has_a_workflow_of_its_own() -> None:
    """No two types share one, none ends like an acknowledgement's, and each is found again."""
    rules: Rules = facts().rules
    workflows = {mesh.workflow_of(family): family for family in rules.agreement.types}
    assert len(workflows) == len(rules.agreement.types)
    assert all(mesh.find_family(rules, workflow) == family for workflow, family in workflows.items())
    assert not any(workflow.endswith(mesh.ACK) for workflow in workflows)
    assert not {mesh.NOTICES, mesh.WAIVERS} & set(workflows)


def test_every_mailbox_has_an_address_that_leads_to_it() -> None:
    """In either case of letters; an upload's and a report's names are no inbox's."""
    index = facts().directory
    for box in index.open_mailboxes(START):
        address = index.mesh_address(box)
        assert mesh.find_address(index, address, START) == mesh.find_address(index, address.lower(), START) == box
    upload = mesh.upload_name(b64u(b"x" * 32))
    assert mesh.is_name(upload)
    assert mesh.is_name(mesh.report_name(upload))
    assert mesh.parse_name(upload, MASH) is mesh.parse_name(mesh.report_name(new_id(START)), MASH) is None
