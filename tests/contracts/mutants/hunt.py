"""Set every mutant before the suite: who survives shows a rule that no test holds.

A mutant is compiled and put where the executor stands, in a process of its own; the suite then runs
fail-fast in the fast world. No test of this suite reads the source, so none can win by comparing text.
Verdicts are kept under the cache; what they rest on is said at ``_Kept``.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
import vyper.compiler  # noqa: F401 - imported once, before the processes part
from tests.contracts.mutants.rules import Mutant

from tidegate.model import ConfigError, digest, sha256_hex
from tidegate.sim import CONTRACTS, cache_dir, checkout_root, compile_contract

SUITE = (
    "contracts/test_errors.py",
    "hostile/atomic/test_field_mistakes.py",
    "contracts/test_changes.py",
    "contracts/test_ops.py",
    "contracts/test_vectors.py",
    "contracts/test_simulate.py",
    "contracts/test_edges.py",
    "hostile/atomic/test_p21_changes.py",
    "hostile/atomic/test_p09_p10_roles.py",
    "hostile/atomic/test_p04_policy.py",
    "hostile/atomic/test_p05_p06_arguments.py",
    "hostile/atomic/test_p01_p02_callbacks.py",
    "hostile/atomic/test_p07_allowances.py",
    "hostile/atomic/test_p08_bounds.py",
    "hostile/atomic/test_p20_losses.py",
    "hostile/atomic/test_p03_reentrancy.py",
    "hostile/atomic/test_p11_malformed.py",
    "hostile/atomic/test_p12_results.py",
    "hostile/atomic/test_p13_nesting.py",
    "hostile/atomic/test_p14_tokens.py",
    "hostile/atomic/test_p22_p24_differential.py",
    "hostile/atomic/test_p17_p18_transient.py",
)
"""The quickest killers first; the last builds the contract once more."""

READS_SOURCE = ("test_the_source_has", "test_the_list_has", "test_the_layout_of")


class Verdict(msgspec.Struct, frozen=True):
    """What became of a mutant: the test that killed it and what it found, or nothing.

    ``compiles`` is no for a change that is no program at all.
    """

    name: str
    killer: str
    found: str
    compiles: bool
    seconds: float
    evidence: str = ""

    @property
    def survived(self) -> bool:
        """Return whether no test saw the difference."""
        return self.compiles and not self.killer


def hunt(
    mutants: Sequence[Mutant], *, processes: int, tell: Callable[[Verdict], None], fresh: bool = False
) -> None:
    """Judge every mutant and ``tell`` each verdict as it comes, those that are known already first.

    ``fresh`` judges all of them anew, whatever is known.

    Raises
    ------
    RuntimeError
        If the suite could not be collected, or does not pass on the contract as it is.
    """
    root = checkout_root()
    assert root is not None
    hunter = _Hunter(mutants, processes, tell, fresh=fresh)
    arguments = [
        "-p", "no:cacheprovider", "-p", "no:terminal", "--rootdir", str(root), "-k",
        f"not ({' or '.join(READS_SOURCE)})", *(str(root / "tests" / suite) for suite in SUITE),
    ]  # fmt: skip
    done = pytest.main(arguments, plugins=[hunter])
    if not hunter.finished:
        raise RuntimeError(f"the suite did not pass on the contract itself: {hunter.killer or done}")


class _Hunter:
    """Collects the suite once, then runs it in a process a mutant; knows the first test that failed."""

    def __init__(
        self,
        mutants: Sequence[Mutant],
        processes: int,
        tell: Callable[[Verdict], None],
        *,
        fresh: bool,
    ) -> None:
        self._mutants, self._processes, self._tell, self._fresh = mutants, processes, tell, fresh
        self._items: list[pytest.Item] = []
        self.killer = self.found = ""
        self.finished = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.killer:
            self.killer = report.nodeid
            crash = getattr(report.longrepr, "reprcrash", None)
            self.found = str(crash.message if crash else report.longrepr).partition("\n")[0][:200]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        global _hunter
        _hunter, self._items = self, session.items
        kept = _Kept()
        unknown = []
        for mutant in self._mutants:
            verdict = None if self._fresh else kept.read(mutant)
            if verdict is None:
                unknown.append(mutant)
            else:
                self._tell(verdict)
        with get_context("fork").Pool(self._processes, maxtasksperchild=1) as pool:
            self.killer = self._on_the_contract_itself(kept, pool) if unknown else ""
            if self.killer:
                return True
            for mutant, verdict in pool.imap_unordered(_judge, unknown):
                kept.write(mutant, verdict)
                self._tell(verdict)
        self.finished = True
        return True

    def _on_the_contract_itself(self, kept: _Kept, pool: Pool) -> str:
        """Return the test that fails without any change: such a suite kills everything, and says nothing."""
        control = Mutant("none", "", "", "", 0, 0, (CONTRACTS / "atomic_executor.vy").read_text())
        verdict = kept.read(control)
        if verdict is None or self._fresh:
            verdict = pool.apply(_judge, (control,))[1]
            kept.write(control, verdict)
        return verdict.killer

    def run(self) -> None:
        """Run the tests until one fails."""
        for item, following in zip(self._items, [*self._items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.killer:
                return


_hunter: _Hunter
"""Whose tests a forked process runs: what was collected before the fork can not be sent to it."""


def _judge(mutant: Mutant) -> tuple[Mutant, Verdict]:
    """Run the suite on a mutant, in a process that ends afterwards."""
    gc.disable()
    started = time.monotonic()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    with TemporaryDirectory(prefix="tidegate-mutant-") as folder:
        _put(mutant, Path(folder))
        try:
            compile_contract("atomic_executor")
        except ConfigError:
            return mutant, Verdict(mutant.name, "", "", False, round(time.monotonic() - started, 1))
        _hunter.run()
    seconds = round(time.monotonic() - started, 1)
    return mutant, Verdict(mutant.name, _hunter.killer, _hunter.found, True, seconds)


def _put(mutant: Mutant, folder: Path) -> None:
    """Let every later look at our sources find the mutant in the executor's place."""
    original = CONTRACTS  # this module's own name for it is among those that change below
    for path in original.iterdir():
        if path.name != "atomic_executor.vy":
            (folder / path.name).symlink_to(path)
    (folder / "atomic_executor.vy").write_text(mutant.source)
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is original:
                setattr(module, name, folder)


class _Kept:
    """Verdicts on disk. A kill holds while the killer's file does, a survival while every file does."""

    def __init__(self) -> None:
        root = checkout_root()
        assert root is not None
        self._tests = root / "tests"
        doubles = self._tests / "hostile" / "atomic"
        self._house = _digest(
            [doubles / "house.py", doubles / "conftest.py", *sorted(doubles.glob("*/*.vy"))]
        )
        self._whole = _digest([self._tests / suite for suite in SUITE])

    def read(self, mutant: Mutant) -> Verdict | None:
        try:
            verdict = msgspec.json.decode(self._place(mutant).read_bytes(), type=Verdict)
        except (OSError, msgspec.DecodeError):
            return None
        return verdict if verdict.evidence == self._evidence(verdict) else None

    def write(self, mutant: Mutant, verdict: Verdict) -> None:
        place = self._place(mutant)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(
            msgspec.json.encode(msgspec.structs.replace(verdict, evidence=self._evidence(verdict)))
        )

    def _evidence(self, verdict: Verdict) -> str:
        file = verdict.killer.partition("::")[0].removeprefix("tests/")
        return _digest([self._tests / file]) if file else self._whole

    def _place(self, mutant: Mutant) -> Path:
        source = sha256_hex(mutant.source.encode())
        return cache_dir() / "mutants" / f"{digest({'source': source, 'house': self._house})[:32]}.json"


def _digest(files: Sequence[Path]) -> str:
    return digest({file.name: sha256_hex(file.read_bytes()) for file in files})
