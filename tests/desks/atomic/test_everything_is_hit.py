"""Whatever of the desk can refuse is made to refuse by a test: an untested one fails here.

What there is comes from the product: reasons from its source, actions from their registry. (Codes of the
linter have ``language/test_rules.py``, errors of the contract ``tests/contracts/test_errors.py``.) What was
met comes from runs (``hits.py``), never from a name in a test.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.desks.atomic.hits import ROOMS, VARIABLE

from tidegate.sim import checkout_root
from tidegate.venues import catalogue

SUITES = ("tests/desks/atomic", "tests/risk/guards", "tests/venues/flash", "tests/app/strategy")


def reasons_in_source() -> set[str]:
    """Return every reason that a line of these rooms gives."""
    source = Path(str(checkout_root())) / "src"
    found = set()
    for room in ROOMS:
        for path in (source / room.replace(".", "/")).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Reason":
                    found.add(node.attr)
    return found


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    path = tmp_path_factory.mktemp("hits") / "met.json"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.desks.atomic.hits", *SUITES],
        cwd=checkout_root(),
        env={**os.environ, VARIABLE: str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2_000:]
    return {kind: set(names) for kind, names in json.loads(path.read_text()).items()}


@pytest.mark.slow
def test_every_reason_is_given(met: dict[str, set[str]]) -> None:
    assert reasons_in_source() - met["reasons"] == set()


@pytest.mark.slow
def test_every_action_is_lowered(met: dict[str, set[str]]) -> None:
    assert set(catalogue()) - met["actions"] == set()


def test_the_source_gives_reasons_at_all() -> None:
    """What is computed from the source is there, so that a set that is empty can not pass."""
    assert {"POLICY_MISSING", "GUARD_FAILED", "UNPROFITABLE"} <= reasons_in_source()
    assert len(set(catalogue())) > 10
