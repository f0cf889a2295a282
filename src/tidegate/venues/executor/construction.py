"""How an executor is created: its constructor's arguments, what they must be, and the code that follows.

The bytecode is the one that the reproducible build recorded beside the source. Whoever compiles anything
else deploys nothing.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tidegate.chain import encode_arguments, keccak256
from tidegate.model import ZERO_ADDRESS, Address, Tampered
from tidegate.sim import CONTRACTS, Build, compile_contract

DELAY_MAX_S = 2_592_000
"""The longest delay that the constructor takes: 30 days."""
PRODUCTION_DELAY_S = 86_400
"""The shortest delay where value is at stake: a day, in which guardians can cancel."""
GUARDIANS_MAX = 4

_NAME = "atomic_executor"
_TYPES = ("address", "address", "address", "uint256", "address[]")


class Construction(msgspec.Struct, frozen=True, kw_only=True):
    """The constructor's arguments. ``delay_s`` is the seconds from schedule to apply."""

    owner: Address
    treasury: Address
    weth: Address
    delay_s: int
    guardians: tuple[Address, ...] = ()

    @property
    def initcode(self) -> bytes:
        """Return the creation code with the arguments behind it."""
        arguments = (self.owner, self.treasury, self.weth, self.delay_s, list(self.guardians))
        return executor_build().initcode + encode_arguments(_TYPES, arguments)

    @property
    def runtime(self) -> bytes:
        """Return the code that stands on chain afterwards: the build's, then WETH and DELAY, 32 bytes each.

        Vyper appends immutables to the runtime code in the order of their declaration.
        """
        immutables = int(self.weth, 16).to_bytes(32) + self.delay_s.to_bytes(32)
        return executor_build().runtime + immutables


def executor_build() -> Build:
    """Return the executor's build, its custom errors in the ABI; compiled once, then cached."""
    return compile_contract(_NAME)


def recorded_build() -> dict[str, Any]:
    """Return the record of the reproducible build: compiler, settings, keccaks of its bytecode."""
    found: dict[str, Any] = json.loads((CONTRACTS / f"{_NAME}.build.json").read_text(encoding="utf-8"))
    return found


def demand_recorded(build: Build) -> None:
    """Demand that a build is the recorded one, byte for byte.

    Raises
    ------
    Tampered
        If creation or runtime code differ from the record.
    """
    recorded = recorded_build()
    made = {
        "initcode_keccak": "0x" + keccak256(build.initcode).hex(),
        "runtime_keccak": "0x" + keccak256(build.runtime).hex(),
    }
    for name, found in made.items():
        if found != recorded[name]:
            raise Tampered(
                f"the executor's {name.partition('_')[0]} is not the recorded one",
                code="build",
                found=f"{found}, by {build.compiler}",
                allowed=f"{recorded[name]}, by {recorded['compiler']}",
                fix="install the release anew; whoever changed the contract records and reviews its build",
            )


def why_refused(construction: Construction) -> str | None:
    """Return why the constructor would refuse its arguments, or None where it would take them."""
    named = {"owner": construction.owner, "treasury": construction.treasury, "weth": construction.weth}
    for name, account in named.items():
        if account == ZERO_ADDRESS:
            return f"{name} is the zero address"
    if not 0 <= construction.delay_s <= DELAY_MAX_S:
        return f"delay_s must be 0 to {DELAY_MAX_S}, was {construction.delay_s}"
    if len(construction.guardians) > GUARDIANS_MAX:
        return f"at most {GUARDIANS_MAX} guardians, {len(construction.guardians)} were named"
    if ZERO_ADDRESS in construction.guardians:
        return "a guardian is the zero address"
    if construction.owner in construction.guardians:
        return "the owner can not be a guardian too"
    return None
