"""A pytest plugin that writes down which reasons the desk really gave, and which actions it lowered.

No name in a test counts, only what happens: a reason that a line of the product looked up, an action that
went through the compiler. ``test_everything_is_hit.py`` runs the suites so
(``-p tests.desks.atomic.hits``) and asks for all of it.
"""

from __future__ import annotations

import json
import os
import sys
from enum import EnumType
from pathlib import Path
from typing import Any

import pytest

from tidegate.desks.atomic.machine.calls import CallLowering
from tidegate.model import Reason

VARIABLE = "TIDEGATE_HITS"
ROOMS = ("tidegate.desks.atomic", "tidegate.venues.flash", "tidegate.risk.guards")


def pytest_configure(config: pytest.Config) -> None:
    """Record, if someone wants to read it."""
    path = os.environ.get(VARIABLE)
    if path is not None:
        config.pluginmanager.register(_Hits(Path(path)))


class _Hits:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._met: dict[str, set[str]] = {"reasons": set(), "actions": set()}

    def pytest_collection_finish(self) -> None:
        """Begin when every module is loaded: what stands at a module's top is no reason that was given."""
        reasons, actions, lower = self._met["reasons"], self._met["actions"], CallLowering.lower

        def look_up(owner: Any, name: str) -> Any:
            if owner is Reason and sys._getframe(1).f_globals.get("__name__", "").startswith(ROOMS):
                reasons.add(name)
            return type.__getattribute__(owner, name)

        def lowered(lowering: CallLowering, step: Any, spec: Any) -> None:
            actions.add(step.use)
            lower(lowering, step, spec)

        EnumType.__getattribute__ = look_up  # type: ignore[method-assign]
        CallLowering.lower = lowered  # type: ignore[method-assign]

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps({kind: sorted(met) for kind, met in self._met.items()}))
