"""One round of a gateway's notifications, in a process that is killed while it runs: ``python -m`` this, see ``main``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from adapters.gateway.agent import Agent, open_gateway
from adapters.gateway.config import Config
from adapters.gateway.inbox.app import make_inbox
from adapters.gateway.inbox.notify.notifier import Notifier


def count_lines(last: int) -> list[int]:
    """Count the lines of the notifications' own modules that are run; killed at the *last*, or (0) never."""
    seen = [0]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if "/inbox/notify/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            seen[0] += 1
            if seen[0] == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    return seen


async def run_round(home: Path, last: int) -> int:
    """Do one round; return how many lines it took."""
    config = msgspec.json.decode((home / "dying.json").read_bytes(), type=Config)
    async with open_gateway(home, config=config) as gateway:
        assert config.inbox is not None
        assert config.inbox.notify is not None
        notifier = Notifier(make_inbox(gateway, Agent(gateway).watch, config.inbox), config.inbox.notify)
        seen = count_lines(last)
        await notifier.round()
        sys.settrace(None)
        return seen[0]


def main() -> None:
    """Take a gateway's home and the line at which to be killed; print how many lines a whole round took."""
    print(asyncio.run(run_round(Path(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
