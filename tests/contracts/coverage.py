"""Which instructions of the executor ran, from the exact world's trace: lines reached, branches taken.

As a plugin (``pytest -p tests.contracts.coverage``) it builds the house of the hostile suite on the
exact world and records into the file that ``TIDEGATE_CONTRACT_COVERAGE`` names. ``test_coverage.py``
(slow) runs the suites so and asks for every line and for both sides of every branch. Jumps to the
compiler's one empty revert (bounds, overflow, ABI decoding) are no branches of ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.atomic import house as doubles
from vyper.compiler import compile_code

from tidegate.chain import Connection, address
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import CONTRACTS, ExactWorld, compile_contract

VARIABLE = "TIDEGATE_CONTRACT_COVERAGE"
_EMPTY_REVERT = bytes.fromhex("5b5f80fd")
"""JUMPDEST PUSH0 DUP1 REVERT: where the compiler's own checks end, one place in the code."""
_CALLS = frozenset({"CALL", "STATICCALL"})
_JUMPI, _PUSH1, _PUSH2, _PUSH32 = 0x57, 0x60, 0x61, 0x7F


class Recorder:
    """Collects program counters and the outcomes of conditional jumps over many calls."""

    def __init__(self) -> None:
        self._reached: set[int] = set()
        self._outcomes: set[tuple[int, bool]] = set()
        self._known: dict[int, bool] = {}
        self._runtime = compile_contract("atomic_executor").runtime

    def watch(self, world: ExactWorld) -> None:
        """Trace every later call in ``world``, each before it is made."""
        connection = Connection(world.url, name="the traced world")
        for name in ("transact", "call"):
            setattr(world, name, self._traced(world, connection, getattr(world, name)))

    def write(self, path: Path) -> None:
        """Write down what was recorded."""
        path.write_text(json.dumps({"reached": sorted(self._reached), "outcomes": sorted(self._outcomes)}))

    def _traced(
        self, world: ExactWorld, connection: Connection, call: Callable[..., Any]
    ) -> Callable[..., Any]:
        def traced(
            to: Address, data: bytes = b"", *, sender: Address = ZERO_ADDRESS, value: int = 0, **rest: Any
        ) -> Any:
            asked = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
            trace = connection.request("debug_traceCall", asked, "pending", {"disableStorage": True})
            self._read(world, to, trace["structLogs"])
            return call(to, data, sender=sender, value=value, **rest)

        return traced

    def _read(self, world: ExactWorld, to: Address, steps: Sequence[dict[str, Any]]) -> None:
        callee, frames = int(to, 16), [self._is_executor(world, int(to, 16))]
        jump: int | None = None
        for step in steps:
            pc, depth = step["pc"], step["depth"]
            if depth > len(frames):
                frames.append(self._is_executor(world, callee))
            del frames[depth:]
            if jump is not None:
                self._outcomes.add((jump, pc != jump + 1))
                jump = None
            if frames[-1]:
                self._reached.add(pc)
                if step["op"] == "JUMPI":
                    jump = pc
            if step["op"] in _CALLS:
                callee = int(step["stack"][-2], 16)

    def _is_executor(self, world: ExactWorld, account: int) -> bool:
        if account not in self._known:
            self._known[account] = world.code(address(account)).startswith(self._runtime)
        return self._known[account]


class Gaps:
    """What a recording leaves out, by source line."""

    def __init__(self, recording: dict[str, Any]) -> None:
        source = (CONTRACTS / "atomic_executor.vy").read_text()
        self._source = source.splitlines()
        output = compile_code(source, output_formats=["source_map_runtime", "bytecode_runtime"])
        self._code = bytes.fromhex(output["bytecode_runtime"][2:])
        positions = output["source_map_runtime"]["pc_pos_map"]
        self._lines = {int(pc): place[0] for pc, place in positions.items() if place}
        self._reached = set(recording["reached"])
        self._outcomes = {tuple(outcome) for outcome in recording["outcomes"]}

    def lines(self) -> list[str]:
        """Return source lines that have instructions and were never reached."""
        reached = {self._lines[pc] for pc in self._reached if pc in self._lines}
        return [self._show(line) for line in sorted(set(self._lines.values()) - reached)]

    def branches(self, *, inside: str) -> list[str]:
        """Return what ``if`` and ``assert`` inside a function decided one way only.

        Loops are left out: their bounds are the compiler's, and no program is long enough to meet them.
        """
        missing = []
        for pc, target in self._jumps():
            line = self._near(pc)
            if self._is_empty_revert(target) or not self._decides(line, inside):
                continue
            for taken in (True, False):
                if (pc, taken) not in self._outcomes:
                    missing.append(f"never {'taken' if taken else 'passed'} at {pc}, {self._show(line)}")
        return missing

    def _jumps(self) -> list[tuple[int, int]]:
        """Return (pc, target) of every conditional jump whose target stands before it."""
        jumps, at, pushed = [], 0, -1
        end = int.from_bytes(self._code[self._code.index(_PUSH2) + 1 :][:2])
        while at < end:
            octet = self._code[at]
            if octet == _JUMPI:
                jumps.append((at, pushed))
            size = octet - _PUSH1 + 1 if _PUSH1 <= octet <= _PUSH32 else 0
            pushed = int.from_bytes(self._code[at + 1 : at + 1 + size]) if size else -1
            at += 1 + size
        return jumps

    def _is_empty_revert(self, target: int) -> bool:
        return self._code[target : target + 4] == _EMPTY_REVERT

    def _decides(self, line: int, function: str) -> bool:
        if not self._source[line - 1].strip().startswith(("if ", "elif ", "assert ")):
            return False
        heads = [text for text in self._source[:line] if text.startswith("def ")]
        return heads[-1].startswith(f"def {function}(")

    def _near(self, pc: int) -> int:
        return self._lines[max((known for known in self._lines if known <= pc), default=min(self._lines))]

    def _show(self, line: int) -> str:
        return f"line {line}: {self._source[line - 1].strip()}"


def pytest_configure(config: pytest.Config) -> None:
    """Trace every house that a test builds."""
    path = os.environ.get(VARIABLE)
    if path is not None:
        config.pluginmanager.register(_Plugin(Path(path)))


class _Plugin:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._recorder = Recorder()
        self._worlds: list[ExactWorld] = []
        doubles.FastWorld = self._world

    def pytest_sessionfinish(self) -> None:
        for world in self._worlds:
            world.close()
        self._recorder.write(self._path)

    def _world(self) -> ExactWorld:
        world = ExactWorld()
        self._worlds.append(world)
        self._recorder.watch(world)
        return world
