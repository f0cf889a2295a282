"""Every line of the executor runs in these suites, and every branch of its ops goes both ways."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contracts.coverage import VARIABLE, Gaps

from tidegate.sim import checkout_root

SUITES = (
    "contracts/test_errors.py",
    "contracts/test_vectors.py",
    "contracts/test_ops.py",
    "contracts/test_simulate.py",
    "contracts/test_changes.py",
    "contracts/test_edges.py",
    "hostile/atomic/test_p01_p02_callbacks.py",
    "hostile/atomic/test_p04_policy.py",
    "hostile/atomic/test_p05_p06_arguments.py",
    "hostile/atomic/test_p07_allowances.py",
    "hostile/atomic/test_p08_bounds.py",
    "hostile/atomic/test_p09_p10_roles.py",
    "hostile/atomic/test_p11_malformed.py",
    "hostile/atomic/test_p12_results.py",
)
LEFT_OUT = "fuzz or random or damaged or truncation or no_later_op or burner or last_listed_first"
"""What repeats the same paths thousands of times, too often for a traced world."""

NOT_TRACED = ("base fee",)
"""Raised on an exact world of its own: the house's has no base fee."""


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    path = tmp_path_factory.mktemp("coverage") / "executor.json"
    root = checkout_root()
    suites = [str(root / "tests" / suite) for suite in SUITES]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.contracts.coverage", *suites]
    done = subprocess.run(
        [*command, "-k", f"not ({LEFT_OUT})"],
        cwd=root,
        env={**os.environ, VARIABLE: str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2_000:]
    return Gaps(json.loads(Path(path).read_text()))


@pytest.mark.slow
def test_every_line_runs(gaps):
    assert gaps.lines() == []


@pytest.mark.slow
def test_every_branch_of_the_ops_goes_both_ways(gaps):
    missing = [gap for gap in gaps.branches(inside="_run") if not any(text in gap for text in NOT_TRACED)]
    assert missing == []
