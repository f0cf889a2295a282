"""The executor's reverts, decoded down to the step and its reason (``specs/atomic.md`` 4.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
    names: Mapping[bytes, str] | None = None,
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
    names
        Signatures by selector, for functions to be shown by name.
    """
    steps = plan.steps if isinstance(plan, Plan) else tuple(plan or ())
    reader = _Reader(RevertDecoder((ERROR_ABI, *abis)), {step.tag: step for step in steps}, dict(names or {}))
    return reader.read(data)


@dataclass(frozen=True, slots=True)
class _Reader:
    decoder: RevertDecoder
    steps: Mapping[int, Step]
    names: Mapping[bytes, str]

    def read(self, data: bytes) -> ExecutorError:
        revert = _decode(self.decoder, data)
        values: dict[str, Any] = dict(revert.arguments)
        if revert.kind != "custom" or revert.name not in _ERRORS:
            return ExecutorError(revert, _plain_meaning(revert))
        tag = values.get("tag")
        step = None if tag is None else self.steps.get(tag)
        match revert.name:
            case "StepFailed":
                function = self.names.get(values["selector"], "0x" + values["selector"].hex())
                return ExecutorError(
                    revert,
                    f"{function} of {values['target']} failed",
                    tag=tag,
                    step=step,
                    target=values["target"],
                    selector=values["selector"],
                    cause=self.read(values["reason"]),
                )
            case "PolicyDenied":
                return self._denied(revert, values, step)
            case _:
                return ExecutorError(revert, _meaning(revert.name, values), tag=tag, step=step)

    def _denied(self, revert: Revert, values: Mapping[str, Any], step: Step | None) -> ExecutorError:
        rule, key = values["rule"], values["key"]
        target, function = address(key[:20]), key[20:24]
        if rule in (5, 6):
            target, function = address(key[12:]), None
        if rule >= ARGUMENT_RULE_BASE:
            meaning = f"argument rule {rule - ARGUMENT_RULE_BASE} failed, or its word lies outside the data"
        else:
            meaning = RULE_MEANINGS.get(rule, f"rule {rule}")
        shown = (
            target if function is None else f"{self.names.get(function, '0x' + function.hex())} of {target}"
        )
        return ExecutorError(
            revert,
            f"policy denies {shown}: {meaning}",
            tag=values["tag"],
            step=step,
            target=target,
            selector=function,
            rule=rule,
        )


def _decode(decoder: RevertDecoder, data: bytes) -> Revert:
    revert = decoder.decode(data)
    if revert.kind == "unknown" and data[:4] == _TEXT and len(data) > 68:
        length = int.from_bytes(data[36:68])
        if length > len(data) - 68:
            message = data[68:].decode(errors="replace") + "..."
            return Revert(kind="error", name="Error", arguments=(("message", message),), data=data)
    return revert


def _plain_meaning(revert: Revert) -> str:
    if revert.kind == "error":
        return str(dict(revert.arguments)["message"])
    return str(revert)


def _meaning(name: str, values: Mapping[str, Any]) -> str:
    match name:
        case "CheckFailed":
            return f"a check failed: {values['left']} against {values['right']}"
        case "FeeTooHigh":
            return f"the loan's fee is {values['fee']}, at most {values['max']} was planned"
        case "AllowanceLeft":
            return f"an allowance of {values['token']} to {values['spender']} is left"
        case "DeltaTooLow":
            return f"{values['token']} changed by {values['delta']}, the floor is {values['floor']}"
        case "LossTooHigh":
            return f"{values['token']} would lose {values['run']} in this run and {values['day']} today"
        case _:
            return "the run was simulated, not executed"
