"""``hub demo``: the main job on fictional data, with real processes over HTTP, in about a minute.

Spawns the ``hub`` and ``gateway`` commands, drops drafts into folders, moves a training clock, and reads the audit log
that the hub serves.  Imports nothing of the agencies' side.
"""

from __future__ import annotations

import argparse


def run_demo(args: argparse.Namespace) -> int:
    """Run the demo with the arguments of ``hub demo``; return its exit status."""
    from hub.demo.play import play

    return play(args)
