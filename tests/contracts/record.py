"""Record the builds and the gas anew: ``python -m tests.contracts.record``, after a contract was changed.

What is recorded is reviewed with the change itself: bytecode that nobody meant to change is found.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def main() -> None:
    """Write all of it."""
    from bench.atomic_gas import run

    for name in RECORDED:
        text = json.dumps(fresh_build(name), indent=2) + "\n"
        (CONTRACTS / f"{name}.build.json").write_text(text)
    SNAPSHOT.write_text(json.dumps(gas_fields(run()), indent=2) + "\n")


if __name__ == "__main__":
    main()
