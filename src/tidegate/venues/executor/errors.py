"""The executor's reverts, decoded down to the step and its reason (``specs/atomic.md`` 4.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tidegate.chain import Abi, RevertDecoder, address, selector
from tidegate.model import Address, Plan, Revert, Step

RULE_MEANINGS = {
    1: "no policy entry, or its flag is missing",
    2: "value is sent without permission, or with a READ",
    3: "the policy entry has expired",
    4: "there is no code at the target",
    5: "the spender is not in the set",
    6: "the lender is not allowed for this kind of loan",
}
ARGUMENT_RULE_BASE = 16
REASON_MAX_BYTES = 256
"""How much of a step's revert the executor keeps; longer text arrives cut."""

_ERRORS = {
    "StepFailed": "uint256 tag,address target,bytes4 selector,bytes reason",
    "PolicyDenied": "uint256 tag,bytes32 key,uint256 rule",
    "CheckFailed": "uint256 tag,uint256 left,uint256 right",
    "FeeTooHigh": "uint256 fee,uint256 max",
    "AllowanceLeft": "address token,address spender",
    "DeltaTooLow": "address token,int256 delta,int256 floor",
    "LossTooHigh": "address token,uint256 run,uint256 day",
    "Simulated": "uint256 gas_used,int256[] deltas,uint256[] registers,uint256[] trace",
}


def _entry(name: str, fields: str) -> dict[str, Any]:
    inputs = [dict(zip(("type", "name"), field.split(), strict=True)) for field in fields.split(",")]
    return {"type": "error", "name": name, "inputs": inputs}


ERROR_ABI: Abi = tuple(_entry(name, fields) for name, fields in _ERRORS.items())
"""The executor's custom errors as ABI entries; Vyper lists none of them itself."""

_TEXT = selector("Error(string)")


@dataclass(frozen=True, slots=True)
class Glossary:
    """What people call the things that a revert names by their bytes.

    Attributes
    ----------
    functions
        Names by selector.
    accounts
        Names by address.
    reasons
        By address, what the texts of that contract's reverts stand for: a protocol's error codes.
    """

    functions: Mapping[bytes, str] = field(default_factory=dict)
    accounts: Mapping[Address, str] = field(default_factory=dict)
    reasons: Mapping[Address, Mapping[str, str]] = field(default_factory=dict)

    def account(self, account: Address) -> str:
        """Return an account's name, or its address."""
        return self.accounts.get(account, account)

    def call(self, target: Address, function: bytes) -> str:
        """Return how a call reads: ``aave_v3.pool.repay``, else what is known of it."""
        name = self.functions.get(function)
        if name is not None and target in self.accounts:
            return f"{self.accounts[target]}.{name}"
        return f"{name or '0x' + function.hex()} of {self.account(target)}"


NO_NAMES = Glossary()


@dataclass(frozen=True, slots=True)
class ExecutorError:
    """Why a run reverted.

    ``revert`` is the outermost error; ``tag`` the failing step where one is known, ``step`` what
    that tag stands for in the plan, ``cause`` why the step failed (None unless ``StepFailed``).
    """

    revert: Revert
    meaning: str
    tag: int | None = None
    step: Step | None = None
    target: Address | None = None
    selector: bytes | None = None
    rule: int | None = None
    cause: ExecutorError | None = None

    @property
    def root(self) -> ExecutorError:
        """Return the innermost cause: what a person wants to know first."""
        return self if self.cause is None else self.cause.root

    @property
    def step_id(self) -> str | None:
        """Return the id of the failing step, as the strategy file names it."""
        return None if self.step is None else self.step.step_id

    def __str__(self) -> str:
        where = "" if self.tag is None else f"step {self.step_id or self.tag}: "
        return where + self.meaning + ("" if self.cause is None else f": {self.cause}")


def decode_error(
    data: bytes,
    plan: Plan | Iterable[Step] | None = None,
    *,
    abis: Iterable[Abi] = (),
    glossary: Glossary = NO_NAMES,
) -> ExecutorError:
    """Return what an executor's revert ``data`` says. Never raises.

    Parameters
    ----------
    data
        The revert data as the node gave it.
    plan
        The plan, or its steps: gives the failing tag its name.
    abis
        ABIs of the called protocols, whose custom errors a step's reason may be.
    glossary
        Names of functions and accounts, and what the error codes of protocols mean.
    """
    steps = plan.steps if isinstance(plan, Plan) else tuple(plan or ())
    reader = _Reader(RevertDecoder((ERROR_ABI, *abis)), {step.tag: step for step in steps}, glossary)
    return reader.read(data)


@dataclass(frozen=True, slots=True)
class _Reader:
    decoder: RevertDecoder
    steps: Mapping[int, Step]
    glossary: Glossary

    def read(self, data: bytes, target: Address | None = None) -> ExecutorError:
        """Return what ``data`` says; ``target`` is whose revert it is, where that is known."""
        revert = self._with_meaning(_decode(self.decoder, data), target)
        values: dict[str, Any] = dict(revert.arguments)
        if revert.kind != "custom" or revert.name not in _ERRORS:
            return ExecutorError(revert, _plain_meaning(revert))
        tag = values.get("tag")
        step = None if tag is None else self.steps.get(tag)
        match revert.name:
            case "StepFailed":
                return ExecutorError(
                    revert,
                    f"{self.glossary.call(values['target'], values['selector'])} failed",
                    tag=tag,
                    step=step,
                    target=values["target"],
                    selector=values["selector"],
                    cause=self.read(values["reason"], values["target"]),
                )
            case "PolicyDenied":
                return self._denied(revert, values, step)
            case _:
                return ExecutorError(revert, self._meaning(revert.name, values), tag=tag, step=step)

    def _with_meaning(self, revert: Revert, target: Address | None) -> Revert:
        """Return a protocol's error code with what it stands for beside it, as panics have it."""
        if revert.kind != "error" or target is None:
            return revert
        message = str(dict(revert.arguments)["message"])
        meaning = self.glossary.reasons.get(target, {}).get(message)
        if meaning is None:
            return revert
        return msgspec.structs.replace(revert, arguments=(*revert.arguments, ("meaning", meaning)))

    def _denied(self, revert: Revert, values: Mapping[str, Any], step: Step | None) -> ExecutorError:
        rule, key = values["rule"], values["key"]
        target, function = address(key[:20]), key[20:24]
        if rule in (5, 6):
            target, function = address(key[12:]), None
        if rule >= ARGUMENT_RULE_BASE:
            meaning = f"argument rule {rule - ARGUMENT_RULE_BASE} failed, or its word lies outside the data"
        else:
            meaning = RULE_MEANINGS.get(rule, f"rule {rule}")
        shown = self.glossary.account(target) if function is None else self.glossary.call(target, function)
        return ExecutorError(
            revert,
            f"policy denies {shown}: {meaning}",
            tag=values["tag"],
            step=step,
            target=target,
            selector=function,
            rule=rule,
        )

    def _meaning(self, name: str, values: Mapping[str, Any]) -> str:
        named = self.glossary.account
        match name:
            case "CheckFailed":
                return f"a check failed: {values['left']} against {values['right']}"
            case "FeeTooHigh":
                return f"the loan's fee is {values['fee']}, at most {values['max']} was planned"
            case "AllowanceLeft":
                return f"an allowance of {named(values['token'])} to {named(values['spender'])} is left"
            case "DeltaTooLow":
                return (
                    f"{named(values['token'])} changed by {values['delta']}, the floor is {values['floor']}"
                )
            case "LossTooHigh":
                lost = f"{values['run']} in this run and {values['day']} today"
                return f"{named(values['token'])} would lose {lost}"
            case _:
                return "the run was simulated, not executed"


def _decode(decoder: RevertDecoder, data: bytes) -> Revert:
    revert = decoder.decode(data)
    if revert.kind == "unknown" and data[:4] == _TEXT and len(data) > 68:
        length = int.from_bytes(data[36:68])
        if length > len(data) - 68:
            message = data[68:].decode(errors="replace") + "..."
            return Revert(kind="error", name="Error", arguments=(("message", message),), data=data)
    return revert


def _plain_meaning(revert: Revert) -> str:
    if revert.kind != "error":
        return str(revert)
    values = dict(revert.arguments)
    return f"{values['message']} ({values['meaning']})" if "meaning" in values else str(values["message"])
