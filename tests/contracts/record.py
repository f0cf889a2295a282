"""Record the builds and the gas anew, after a contract was changed: ``make record BECAUSE="..."``.

What is recorded is reviewed with the change itself: bytecode that nobody meant to change is found, and
gas that became another one has its reason in the snapshot.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import vyper
from vyper.compiler import compile_code

from tidegate.chain import keccak256
from tidegate.sim import CONTRACTS

RECORDED = ("atomic_executor", "guard_lens")
SNAPSHOT = Path(__file__).parent / "gas_snapshot.json"
_FORMATS = ["bytecode", "bytecode_runtime", "settings_dict"]


def fresh_build(name: str) -> dict[str, Any]:
    """Compile a contract past every cache and return what identifies its bytecode."""
    output = compile_code((CONTRACTS / f"{name}.vy").read_text(), output_formats=_FORMATS)
    initcode = bytes.fromhex(output["bytecode"][2:])
    runtime = bytes.fromhex(output["bytecode_runtime"][2:])
    return {
        "compiler": f"vyper {vyper.__long_version__}",
        "settings": output["settings_dict"],
        "initcode_keccak": "0x" + keccak256(initcode).hex(),
        "runtime_keccak": "0x" + keccak256(runtime).hex(),
        "runtime_bytes": len(runtime),
    }


def recorded_build(name: str) -> dict[str, Any]:
    """Return what ``NAME.build.json`` says."""
    found: dict[str, Any] = json.loads((CONTRACTS / f"{name}.build.json").read_text())
    return found


def gas_fields(result: dict[str, Any]) -> dict[str, int]:
    """Return the figures of a benchmark's result: gas by field, and bytes of code."""
    return {key: figure for key, figure in result.items() if type(figure) is int and key != "multisend_step"}


class GasRecord(msgspec.Struct, frozen=True):
    """The figures that hold, and why they were ever changed: what was, what is, the reason."""

    figures: dict[str, int]
    changes: tuple[GasChange, ...] = ()

    def with_figures(self, figures: dict[str, int], because: str) -> GasRecord:
        """Return the record of new figures; the same ones need no reason and change nothing.

        Raises
        ------
        ValueError
            If they differ and nobody says why.
        """
        fields = sorted(self.figures.keys() | figures.keys())
        changed = {
            field: (self.figures.get(field), figures.get(field))
            for field in fields
            if self.figures.get(field) != figures.get(field)
        }
        if not changed:
            return self
        if not because.strip():
            raise ValueError(f"the gas of {', '.join(changed)} has changed: say why (--because)")
        return GasRecord(figures, (*self.changes, GasChange(because.strip(), changed)))


class GasChange(msgspec.Struct, frozen=True):
    """One change of the figures; a field that was not there before, or is no more, is null."""

    because: str
    changed: dict[str, tuple[int | None, int | None]]


def recorded_gas() -> GasRecord:
    """Return what the snapshot says."""
    return msgspec.json.decode(SNAPSHOT.read_bytes(), type=GasRecord)


def main() -> int:
    """Write all of it."""
    from bench.atomic_gas import run

    parser = argparse.ArgumentParser(prog="make record", description=__doc__)
    parser.add_argument("--because", default="", help="why the gas is another one now")
    because = parser.parse_args().because
    try:
        gas = recorded_gas().with_figures(gas_fields(run()), because)
    except ValueError as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    for name in RECORDED:
        text = json.dumps(fresh_build(name), indent=2) + "\n"
        (CONTRACTS / f"{name}.build.json").write_text(text)
    SNAPSHOT.write_bytes(msgspec.json.format(msgspec.json.encode(gas), indent=2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
