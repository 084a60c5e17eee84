"""The exploitation team's list, from the force's records to a clinic, and back when somebody is taken off it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.store.base import Store
from tests.county import CAIT, EXPLOITATION, POLICE
from tests.gateway.support import open_town
from tests.profiles.police.system import ForceSystem, officer
from tests.profiles.support import http_options, open_profile


async def test_a_list_that_is_released_is_the_clinics_and_a_child_who_is_taken_off_is_taken_back(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody types it again: released in the records, asked by the clinic, answered; then released without the child."""
    pytest.importorskip("private_set_intersection", reason="NOT TESTED: openmined-psi has no wheel for this machine")
    from adapters.profiles.police import PoliceAdapter
    from tests.gateway.atrisk_support import ALEX, ASKER, CLINIC_AGENCY, ISSUER, SLOT, Pair, add_clinic, came

    add_clinic(monkeypatch)
    async with open_town(sqlite_store, tmp_path) as town:
        force = ForceSystem(lambda: town.county.now)
        force.add_nominal("N-1", "Robin Sample", "06/05/2011", nhs_number=ALEX)
        await force.start()
        options = http_options(force, CAIT, "police_officer")
        async with (
            open_profile(town, POLICE, "police", PoliceAdapter, options, atrisk=ISSUER) as police,
            town.agent(CLINIC_AGENCY, atrisk=ASKER) as clinic,
        ):
            pair = Pair(town, police, clinic)
            force.release_list(officer("EXPLOITATION"), "1", ["N-1"], EXPLOITATION)
            await pair.settle()
            await pair.attend(came("A-1", ALEX))
            assert await pair.answers("A-1") == [f"known risk, contact {EXPLOITATION}"]
            force.release_list(officer("EXPLOITATION"), "2", [], EXPLOITATION)
            for _ in range(2):
                await pair.pass_slot(SLOT * 6)
            await pair.attend(came("A-2", ALEX))
            (answer,) = await pair.answers("A-2")
            assert "known risk" not in answer
            assert force.outbox == {}
            assert all("attend" not in address for _, address in force.asked)
        await force.close()
