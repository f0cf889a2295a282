"""``tidegate bench atomic-gas``: what each operation of the executor costs, on the exact world.

Every figure is the difference between two programs, one an operation longer, both run as the second
call inside one transaction (all that they touch is warm), against callees that do nothing
(``bench/contracts``). So a figure holds what the operation takes in the executor, the base cost of its
calls and the few instructions of the stub. The peer, Safe's ``MultiSendCallOnly``, makes the same call
to the same stub and checks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.tracing import Trace
from tidegate.chain import Connection, address, encode_call, selector
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import Artifacts, ExactWorld, compile_contract
from tidegate.venues.executor import (
    Approve,
    ArgumentRule,
    Call,
    Capture,
    Change,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Line,
    Load,
    Math,
    MathFunction,
    Op,
    Patch,
    Permission,
    Program,
    Role,
    RuleKind,
    apply_changes,
    assemble,
    calldata_gas,
    deploy_executor,
    encode_execute,
)

BUDGETS: Mapping[str, int] = {
    "step_guarded": 1_369,
    "step_capture": 400,
    "step_patch": 1_100,
    "rule_first": 620,
    "rule_next": 560,
    "read": 1_850,
    "check": 720,
    "load": 560,
    "math": 1_150,
    "calldata_step": 1_012,
    "approve": 2_800,
    "approve_zero_after": 3_500,
    "run_fixed": 8_000,
    "line_erc20": 2_400,
    "flash_wrap_own": 4_500,
    "flash_wrap_all": 7_200,
    "runtime_bytes": 23_500,
}
"""The most that each field may be (``specs/atomic.md`` 15): gas, and bytes of deployed code."""

PUBLISHED: Mapping[str, int | tuple[int, int]] = {
    "bundler3_step": 1_572,
    "executooor_step": 2_105,
    "weiroll_step": (2_751, 3_002),
    "unchecked_multicall_step": 1_043,
    "executooor_placeholder": (1_277, 2_045),
}
"""Other interpreters' gas for one step, as the specification cites them; not measured here."""

_SECOND = "second(address,bytes)"
_LENDER, _CALLBACK = 3, 4
"""Call depths below the meter (1) and the executor (2)."""

_CONTRACTS = Path(__file__).parent / "contracts"
_OWNER = address(0xA0_0000_0001)
_TREASURY = address("0x" + "7e" * 20)
_ACT = "act(address,uint256)"
_ETH = Line(ZERO_ADDRESS, 0)
_AMOUNT = 1_000
_PINNED = 96
_CAP_KEY = 64

_RULES = {
    "self": ArgumentRule(RuleKind.EXECUTOR, 0),
    "recipient": ArgumentRule(RuleKind.RECIPIENT, 0),
    "asset": ArgumentRule(RuleKind.ASSET, 0),
    "cap": ArgumentRule(RuleKind.CAP, 1, _CAP_KEY),
    "pin": ArgumentRule(RuleKind.PIN, 1, _PINNED),
}


def run() -> dict[str, Any]:
    """Measure every field and return them with the peer, the ratio and the budgets.

    ``ratio`` is the peer's gas a step over ours: below 1 by what the checks cost.
    """
    with ExactWorld() as world:
        bench = _Bench(world)
        fields = bench.fields()
        peer_gas = bench.peer_step_gas()
    return {
        "name": "atomic-gas",
        "peer": f"Safe MultiSendCallOnly 1.4.1, {peer_gas} gas for the same step, unchecked",
        "ratio": round(peer_gas / fields["step_guarded"], 3),
        "machine": {},
        **fields,
        "multisend_step": peer_gas,
        "published": dict(PUBLISHED),
        "budgets": dict(BUDGETS),
        "within_budgets": all(fields[name] <= most for name, most in BUDGETS.items()),
    }


@dataclass(frozen=True)
class _Loan:
    """What a flash scope costs beside the same step flat, and how much of it is not the executor's."""

    total: int
    memory: int
    repayment: int
    lender: int

    @property
    def own(self) -> int:
        return self.total - self.memory - self.repayment - self.lender


class _Bench:
    """An executor among stubs. The meter is its operator."""

    def __init__(self, world: ExactWorld) -> None:
        self._world = world
        world.set_balance(_OWNER, 10**20)
        self._meter = self._deploy("gas_meter")
        self._token = self._deploy("stub_token")
        self._lender = self._deploy("stub_lender")
        self._target = self._deploy("stub_target")
        self._executor = deploy_executor(
            world, owner=_OWNER, treasury=_TREASURY, weth=self._token, deployer=_OWNER
        )
        self._allow(
            Change.role(self._meter, Role.OPERATOR),
            Change.policy(self._target, selector(_ACT), Permission(call=True, read=True)),
            Change.approval(self._token),
            Change.spender(self._target),
            Change.asset(self._token),
            Change.cap(_CAP_KEY, _AMOUNT),
            Change.lender(self._lender, FlashKind.UNISWAP_V3),
        )

    def fields(self) -> dict[str, int]:
        """Return every field of the table."""
        extra = self._extra
        step, second = self._step(1), self._step(2)
        loaded, loan = Load.literal(1, 0, 10**18), self._loan()
        first, following = self._rules()
        functions = [function for function in MathFunction if not function.takes_c]
        return {
            "step_guarded": extra([step], second),
            "step_capture": extra([step], self._step(2, capture=Capture(0))) - extra([step], second),
            "step_patch": extra([step], self._step(2, patches=(Patch(1, 0),))) - extra([step], second),
            "rule_first": max(first.values()),
            **{f"rule_first_{name}": gas for name, gas in first.items()},
            "rule_next": max(following.values()),
            **{f"rule_next_{name}": gas for name, gas in following.items()},
            "read": extra([step], self._step(2, is_read=True, capture=Capture(0))),
            "check": extra([loaded], Check(2, Comparison.AT_LEAST, 0, immediate=1)),
            "load": extra([loaded], Load.literal(2, 0, 10**18)),
            "math": max(self._math(function) for function in functions),
            "math_three_registers": self._math(MathFunction.MUL_DIV_UP),
            "calldata_step": calldata_gas(self._assemble([step, second]))
            - calldata_gas(self._assemble([step])),
            "approve": extra([loaded], Approve(2, self._token, self._target, 0)),
            "approve_zero_after": extra([loaded], Approve(2, self._token, self._target, 0, zero_after=True)),
            "run_fixed": self._gas([]),
            "line_erc20": self._gas([], lines=(_ETH, Line(self._token, 0))) - self._gas([]),
            "flash_wrap_own": loan.own,
            "flash_wrap_all": loan.total,
            "flash_wrap_memory": loan.memory,
            "flash_wrap_repayment": loan.repayment,
            "flash_wrap_lender": loan.lender,
            "runtime_bytes": len(self._world.code(self._executor)),
        }

    def peer_step_gas(self) -> int:
        """Return what one more call of the stub takes in Safe's unchecked batch."""
        peer = self._world.deploy(Artifacts.load()["MultiSendCallOnly"].link(), sender=_OWNER)
        data = encode_call(_ACT, self._token, _AMOUNT)
        one = b"\x00" + bytes.fromhex(self._target[2:]) + bytes(32) + len(data).to_bytes(32) + data
        return self._second(peer, encode_call("multiSend(bytes)", one * 2)) - self._second(
            peer, encode_call("multiSend(bytes)", one)
        )

    def _rules(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the gas of a first rule and of one more of the same kind, by kind of rule."""
        first, following = {}, {}
        for name, rule in _RULES.items():
            account = {"self": self._executor, "recipient": _TREASURY}.get(name, self._token)
            amount = _PINNED if name == "pin" else _AMOUNT
            gas = [
                self._extra([self._step(1)], self._step(2, target, account=account, amount=amount))
                for target in (self._target, self._ruled(rule), self._ruled(rule, rule))
            ]
            first[name], following[name] = gas[1] - gas[0], gas[2] - gas[1]
        return first, following

    def _math(self, function: MathFunction) -> int:
        """Return the gas of a function of registers alone; the quotient has a remainder."""
        loads = [Load.literal(tag, tag - 1, amount) for tag, amount in ((1, 10**18), (2, 10**17 + 1), (3, 7))]
        return self._extra(loads, Math(4, 0, function, 0, 1, 2 if function.takes_c else None))

    def _loan(self) -> _Loan:
        """Return the cost of a one-step scope beside the same step flat."""
        loaded, step = Load.literal(1, 0, 10**18), self._step(3)
        scope = Flash(2, FlashKind.UNISWAP_V3, self._lender, self._token, 0, (step,))
        total = self._gas([loaded, scope]) - self._gas([loaded, step])
        trace = self._trace(self._execute([loaded, scope]))
        words = trace.memory_words(_CALLBACK)
        return _Loan(
            total=total,
            memory=3 * words + words * words // 512,
            repayment=trace.last_call_gas(_CALLBACK),
            lender=trace.frame_gas(_LENDER) - trace.frame_gas(_CALLBACK),
        )

    def _extra(self, ops: Sequence[Op], last: Op) -> int:
        return self._gas([*ops, last]) - self._gas(ops)

    def _gas(self, ops: Sequence[Op], *, lines: tuple[Line, ...] = (_ETH,)) -> int:
        return self._second(self._executor, self._execute(ops, lines=lines))

    def _second(self, target: Address, data: bytes) -> int:
        answer = self._world.call(self._meter, encode_call(_SECOND, target, data), sender=_OWNER)
        return int.from_bytes(answer)

    def _trace(self, data: bytes) -> Trace:
        """Return the trace of the second call, from the executor's first instruction."""
        payload = "0x" + encode_call(_SECOND, self._executor, data).hex()
        call = {"from": _OWNER, "to": self._meter, "data": payload}
        connection = Connection(self._world.url, name="the exact world")
        try:
            trace = connection.request(
                "debug_traceCall", call, "latest", {"enableMemory": True, "disableStorage": True}
            )
        finally:
            connection.close()
        return Trace(trace["structLogs"]).of_call(1, depth=1)

    def _execute(self, ops: Sequence[Op], *, lines: tuple[Line, ...] = (_ETH,)) -> bytes:
        return encode_execute(self._assemble(ops, lines=lines))

    def _assemble(self, ops: Sequence[Op], *, lines: tuple[Line, ...] = (_ETH,)) -> bytes:
        """Pack with three registers, so that clearing them is in no difference."""
        return assemble(
            Program(
                chain_id=self._world.chain_id,
                deadline=2**40 - 1,
                max_base_fee=2**48 - 1,
                registers=3 if ops else 0,
                lines=lines,
                ops=tuple(ops),
            )
        )

    def _step(
        self,
        tag: int,
        target: Address | None = None,
        *,
        account: Address | None = None,
        amount: int = _AMOUNT,
        **fields: Any,
    ) -> Call:
        """Return a step of 68 bytes: a selector and two words."""
        return Call(tag, target or self._target, encode_call(_ACT, account or self._token, amount), **fields)

    def _ruled(self, *rules: ArgumentRule) -> Address:
        """Return another stub whose arguments are bound by ``rules``."""
        target = self._deploy("stub_target")
        self._allow(Change.policy(target, selector(_ACT), Permission(call=True, rules=rules)))
        return target

    def _allow(self, *changes: Change) -> None:
        apply_changes(self._world, self._executor, changes, owner=_OWNER)

    def _deploy(self, name: str) -> Address:
        return self._world.deploy(compile_contract(_CONTRACTS / f"{name}.vy").initcode, sender=_OWNER)
