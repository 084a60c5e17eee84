"""A hub put together as it is served: its worker, its checkpoint beside the keys, its clock."""

from __future__ import annotations

import asyncio
import shutil
import urllib.request
from pathlib import Path

import pytest

from hub.commands.init import Partnership
from hub.config import load_config
from hub.errors import HubError
from hub.home import kept_checkpoint
from hub.store.base import open_store
from hub.web.metrics import Metrics
from hub.wiring import check_not_rolled_back, make_clock, make_doubt, make_watch, run_hub
from schemas.envelope import DAY
from tests.cli.support import make_hub


async def _until(path: Path) -> str:
    async with asyncio.timeout(10):
        while (note := kept_checkpoint(path)) is None:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.05)
    return note


async def test_the_last_checkpoint_lies_beside_the_keys_and_is_asked_for_at_start(tmp_path: Path) -> None:
    """A database without it is refused, whoever signed a copy of the same text is not."""
    home = tmp_path / "hub"
    await asyncio.to_thread(make_hub, home)
    config = load_config(home / "hub.toml")
    shutil.copy(home / "hub.db", tmp_path / "old.db")
    async with run_hub(config, "") as running:
        assert running.hub.ready
        note = await _until(home)
        base = f"http://127.0.0.1:{running.port}"
        with await asyncio.to_thread(urllib.request.urlopen, f"{base}/v1/audit/checkpoint") as answer:
            assert answer.read().decode() == note
    assert not running.hub.ready
    for name, text, fits in (("hub.db", note, True), ("hub.db", note.replace("\n2\n", "\n1\n"), False)):
        (home / "checkpoint").write_text(text)
        store = open_store(f"sqlite:///{home / name}")
        try:
            if fits:
                await check_not_rolled_back(store, home)
            else:
                with pytest.raises(HubError, match="doesn't hold the last checkpoint"):
                    await check_not_rolled_back(store, home)
        finally:
            await store.close()


def test_an_expiring_directory_is_announced_for_sixty_days(caplog: pytest.LogCaptureFixture) -> None:
    """Silent before; then once a day, as an alarm once it has expired; the metric says when."""
    metrics, now = Metrics(), [0]
    see = make_watch(lambda: now[0], metrics)

    def said(day: float) -> list[str]:
        caplog.clear()
        now[0] = int(day * DAY)
        for _ in range(3):
            see(100 * DAY)
        return [record.message for record in caplog.records]

    assert said(39) == []
    assert said(41) == ["directory expires soon"]
    assert said(41.5) == ["directory expires soon"]
    assert said(41.6) == []
    assert said(100.5) == ["directory expired"]
    assert f"hub_directory_expires_seconds {100 * DAY / 1000:.3e}".split("e", maxsplit=1)[0] in metrics.text().decode()


async def test_a_clock_set_back_while_the_hub_was_down_is_doubted(tmp_path: Path) -> None:
    """The log's last moment is the witness."""
    home, hands = tmp_path / "hub", tmp_path / "clock"
    hands.write_text("1783324800000")
    await asyncio.to_thread(make_hub, home, clock=f"file:{hands}")
    config = load_config(home / "hub.toml")
    store = open_store(config.database)
    try:
        assert not (await make_doubt(store, make_clock(config)))()
        hands.write_text("1783321200000")
        doubt = await make_doubt(store, make_clock(config))
        assert doubt()
        hands.write_text("1783324800000")
        assert not doubt()
    finally:
        await store.close()


def test_a_partnership_has_three_officers_of_whom_two_sign() -> None:
    """Unless its file says otherwise."""
    assert (Partnership(id="p").officers, Partnership(id="p").threshold) == (3, 2)
