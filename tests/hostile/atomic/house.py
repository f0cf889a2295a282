"""The executor on its real bytecode in the fast world, among contracts that the tests control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidegate.chain import address, decode_output, encode_arguments, encode_call, selector
from tidegate.model import ZERO_ADDRESS, Address, Receipt
from tidegate.sim import FastWorld, WorldReverted, compile_contract
from tidegate.venues.executor import (
    ERROR_ABI,
    Approve,
    ArgumentRule,
    Call,
    Change,
    ExecutorError,
    Flash,
    FlashKind,
    Line,
    Load,
    Op,
    Permission,
    Program,
    Role,
    RuleKind,
    Simulated,
    apply_changes,
    assemble,
    decode_error,
    decode_simulated,
    deploy_executor,
    encode_execute,
    encode_simulate,
    encode_unwind,
)

CONTRACTS = Path(__file__).parent / "contracts"
ETHER = 10**18
FUNDS = 1_000_000
FOREVER_S = 2**40 - 1

DEPLOYER = address(0xD0_0000_0001)
OWNER = address(0xA0_0000_0001)
OPERATOR = address(0xA0_0000_0002)
GUARDIAN = address(0xA0_0000_0003)
RESCUER = address(0xA0_0000_0004)
STRANGER = address(0xA0_0000_0005)
TREASURY = address(0xA0_0000_0006)
WETH = address(0xA0_0000_0007)

QUIRKS = (
    "honest", "fee", "answers_false", "silent", "race", "hook", "sticky", "liar", "rebasing", "unpayable",
    "approves_false",
)  # fmt: skip
TRICKS = {
    "no callback": 1, "twice": 2, "other data": 4, "other token": 8, "other amount": 16,
    "other initiator": 32, "higher fee": 64, "lends nothing": 128, "pulls less": 256,
    "shorter data": 512, "two tokens": 1024, "other side": 2048,
}  # fmt: skip
PULLED = (FlashKind.AAVE_V3, FlashKind.ERC3156, FlashKind.MORPHO_BLUE)

ANSWER = "answer(uint256,uint256)"
LOOK = "look(uint256,uint256)"
REFUSE = "refuse(uint256,uint256)"
PULL = "pull(address,uint256)"
PUSH = "push(address,uint256)"
SWAP = "swap(address,address,uint256,uint256)"
KEEP = "keep(uint256,uint256)"
PAY = "pay(uint256)"
BURN_GAS = "burn_gas()"
POKE = "poke()"
TRANSFER = "transfer(address,uint256)"

CALL = Permission(call=True)
READ = Permission(read=True)
TO_SELF_OR_TREASURY = Permission(call=True, rules=(ArgumentRule(RuleKind.RECIPIENT, 0),), result_boolean=True)


@dataclass(frozen=True)
class Action:
    """One call that a puppet makes; ``swallow`` goes on after its revert."""

    target: Address
    data: bytes
    value: int = 0
    swallow: bool = True

    def as_tuple(self) -> tuple[Address, int, bool, bytes]:
        return self.target, self.value, self.swallow, self.data


@dataclass(frozen=True)
class House:
    """A world with one executor, two tokens (``a`` below ``b``), lenders, a target and a puppet."""

    world: FastWorld
    executor: Address
    a: Address
    b: Address
    target: Address
    pool: Address
    morpho: Address
    balancer: Address
    puppet: Address
    accomplice: Address

    def lender(self, kind: FlashKind) -> Address:
        return {FlashKind.MORPHO_BLUE: self.morpho, FlashKind.BALANCER_V2: self.balancer}.get(kind, self.pool)

    def send(self, to: Address, signature: str, *arguments: object, sender: Address = DEPLOYER) -> Receipt:
        return self.world.transact(to, encode_call(signature, *arguments), sender=sender)

    def read(self, to: Address, signature: str, output: str, *arguments: object) -> object:
        return decode_output((output,), self.world.call(to, encode_call(signature, *arguments)))[0]

    def view(self, name: str, output: str, *arguments: object) -> object:
        types = {int: "uint256", bytes: "bytes32"}
        inputs = ",".join(types.get(type(item), "address") for item in arguments)
        return self.read(self.executor, f"{name}({inputs})", output, *arguments)

    def balance(self, token: Address, account: Address | None = None) -> int:
        holder = account or self.executor
        if token == ZERO_ADDRESS:
            return self.world.balance(holder)
        return int(self.read(token, "balanceOf(address)", "uint256", holder))

    def allowance(self, token: Address, spender: Address) -> int:
        return int(self.read(token, "allowance(address,address)", "uint256", self.executor, spender))

    def mint(self, token: Address, amount: int, account: Address | None = None) -> None:
        self.send(token, "mint(address,uint256)", account or self.executor, amount)

    def quirk(self, token: Address, name: str, subject: Address = ZERO_ADDRESS) -> None:
        self.send(token, "set_quirk(uint256,address)", QUIRKS.index(name), subject)

    def terms(self, lender: Address, *, fee_bps: int = 0, trick: str | None = None) -> None:
        self.send(lender, "set_terms(uint256,uint256)", fee_bps, 0 if trick is None else TRICKS[trick])

    def teach(self, *actions: Action, puppet: Address | None = None) -> None:
        """Write a puppet's script: what it does whenever it is called."""
        script = [action.as_tuple() for action in actions]
        self.send(puppet or self.puppet, "learn((address,uint256,bool,bytes)[])", script)

    def poke(self, tag: int) -> Call:
        """Return a step that calls the puppet."""
        return Call(tag, self.puppet, selector(POKE))

    def play(self, *actions: Action) -> Receipt:
        """Let the puppet make these calls in one transaction."""
        return self.send(
            self.puppet, "play((address,uint256,bool,bytes)[])", [action.as_tuple() for action in actions]
        )

    def outcomes(self) -> list[bool]:
        return list(self.read(self.puppet, "all_outcomes()", "bool[]"))

    def reasons(self) -> list[str]:
        """Return what the puppet's calls were answered, decoded."""
        answers = self.read(self.puppet, "all_reasons()", "bytes[]")
        return [decode_error(data).meaning for data in answers]

    def allow(self, *changes: Change) -> None:
        apply_changes(self.world, self.executor, changes, owner=OWNER)

    def program(self, *ops: Op, lines: Sequence[Line] | None = None, **fields: object) -> Program:
        given = {"deadline": FOREVER_S, "max_base_fee": 2**48 - 1, "registers": 16} | fields
        return Program(
            chain_id=self.world.chain_id,
            lines=tuple(lines if lines is not None else (Line(self.a, 0),)),
            ops=ops,
            **given,
        )

    def run(self, program: Program | bytes, *, sender: Address = OPERATOR, value: int = 0) -> Receipt:
        data = (encode_unwind if sender == RESCUER else encode_execute)(_raw(program))
        return self.world.transact(self.executor, data, sender=sender, value=value)

    def refusal(
        self, program: Program | bytes, *, sender: Address = OPERATOR, value: int = 0
    ) -> ExecutorError:
        """Run what must revert; return why, after the state was checked to be as before."""
        before = self.state()
        with pytest.raises(WorldReverted) as caught:
            self.run(program, sender=sender, value=value)
        assert self.state() == before
        return decode_error(caught.value.data)

    def refused_call(self, data: bytes, *, sender: Address, value: int = 0) -> str:
        """Call the executor with what must revert; return why."""
        with pytest.raises(WorldReverted) as caught:
            self.world.transact(self.executor, data, sender=sender, value=value)
        return decode_error(caught.value.data).meaning

    def simulate(self, program: Program | bytes, *, value: int = 0) -> Simulated | ExecutorError:
        with pytest.raises(WorldReverted) as caught:
            self.world.call(self.executor, encode_simulate(_raw(program)), sender=OPERATOR, value=value)
        return decode_simulated(caught.value.data) or decode_error(caught.value.data)

    def state(self) -> tuple[int, ...]:
        """Return the balances of everyone in everything, and the target's calls."""
        holders = (self.executor, self.target, self.pool, self.morpho, self.balancer, TREASURY, self.puppet)
        balances = [
            self.balance(token, holder) for token in (ZERO_ADDRESS, self.a, self.b) for holder in holders
        ]
        return (*balances, self.calls())

    def calls(self) -> int:
        """Return how often the target answered; none if its code is gone."""
        has_code = self.world.code(self.target)
        return int(self.read(self.target, "calls()", "uint256")) if has_code else 0

    def call(self, tag: int, signature: str, *arguments: object, **fields: object) -> Call:
        """Return a step that calls the target."""
        return Call(tag, self.target, encode_call(signature, *arguments), **fields)

    def pull(
        self, tag: int, token: Address, amount: int, *, register: int = 15, **fields: object
    ) -> tuple[Op, ...]:
        """Return the three steps (tags from ``tag``) that pay the target ``amount``."""
        return (
            Load.literal(tag, register, amount),
            Approve(tag + 1, token, self.target, register, **fields),
            self.call(tag + 2, PULL, token, amount),
        )

    def loan(self, tag: int, kind: FlashKind, *ops: Op, register: int = 0, **fields: object) -> Flash:
        """Return a loan of token ``a`` from the honest lender of ``kind``."""
        given = {"lender": self.lender(kind), "token": self.a} | fields
        return Flash(tag, kind, amount_register=register, ops=ops, **given)


def callback(kind: FlashKind, house: House, program: bytes, *, amount: int, fee: int = 0) -> bytes:
    """Return the calldata by which an honest lender would call back for a loan of token ``a``."""
    match kind:
        case FlashKind.AAVE_V3:
            return encode_call(
                "executeOperation(address,uint256,uint256,address,bytes)",
                house.a, amount, fee, house.executor, program,
            )  # fmt: skip
        case FlashKind.ERC3156:
            return encode_call(
                "onFlashLoan(address,address,uint256,uint256,bytes)",
                house.executor, house.a, amount, fee, program,
            )  # fmt: skip
        case FlashKind.UNISWAP_V3:
            return encode_call("uniswapV3FlashCallback(uint256,uint256,bytes)", fee, 0, program)
        case FlashKind.MORPHO_BLUE:
            return encode_call("onMorphoFlashLoan(uint256,bytes)", amount, program)
        case FlashKind.BALANCER_V2:
            return encode_call(
                "receiveFlashLoan(address[],uint256[],uint256[],bytes)", [house.a], [amount], [fee], program
            )


def build_house(deploy: Callable[[FastWorld], Address] | None = None) -> House:
    """Build a house; ``deploy`` puts another build of the executor in it."""
    world = FastWorld()
    world.register_abi(ERROR_ABI)
    for account in (DEPLOYER, OWNER, OPERATOR, GUARDIAN, RESCUER, STRANGER):
        world.set_balance(account, 100 * ETHER)
    executor = (deploy or _deploy_executor)(world)
    a, b = sorted(
        (deploy_double(world, "token"), deploy_double(world, "token")), key=lambda token: int(token, 16)
    )
    house = House(
        world,
        executor,
        a,
        b,
        target=deploy_double(world, "target"),
        pool=deploy_double(world, "pool_lender", a, b),
        morpho=deploy_double(world, "morpho_lender", a, b),
        balancer=deploy_double(world, "balancer_lender", a, b),
        puppet=deploy_double(world, "puppet"),
        accomplice=deploy_double(world, "puppet"),
    )
    for holder in (house.target, house.pool, house.morpho, house.balancer):
        for token in (a, b):
            house.mint(token, FUNDS, holder)
        world.set_balance(holder, ETHER)
    house.allow(*standard_policy(house))
    return house


def standard_policy(house: House) -> list[Change]:
    """Return what the executor of a house is allowed."""
    return [
        Change.role(OPERATOR, Role.OPERATOR),
        Change.role(RESCUER, Role.RESCUER),
        *(
            Change.policy(house.target, selector(name), CALL)
            for name in (REFUSE, PULL, PUSH, SWAP, PAY, BURN_GAS)
        ),
        *(
            Change.policy(house.target, selector(name), Permission(call=True, value=True))
            for name in (ANSWER, KEEP)
        ),
        Change.policy(house.target, selector(LOOK), READ),
        Change.policy(house.puppet, selector(POKE), Permission(call=True, value=True)),
        *(Change.policy(token, selector(TRANSFER), TO_SELF_OR_TREASURY) for token in (house.a, house.b)),
        *(Change.approval(token) for token in (house.a, house.b)),
        Change.spender(house.target),
        Change.lender(house.pool, FlashKind.AAVE_V3, FlashKind.ERC3156, FlashKind.UNISWAP_V3),
        Change.lender(house.morpho, FlashKind.MORPHO_BLUE),
        Change.lender(house.balancer, FlashKind.BALANCER_V2),
    ]


def _deploy_executor(world: FastWorld) -> Address:
    return deploy_executor(
        world, owner=OWNER, treasury=TREASURY, weth=WETH, deployer=DEPLOYER, guardians=[GUARDIAN]
    )


def deploy_double(world: FastWorld, name: str, *arguments: Address) -> Address:
    """Deploy one of ``contracts`` and return its address."""
    initcode = compile_contract(CONTRACTS / f"{name}.vy").initcode
    return world.deploy(initcode + encode_arguments(["address"] * len(arguments), arguments), sender=DEPLOYER)


def _raw(program: Program | bytes) -> bytes:
    return program if isinstance(program, bytes) else assemble(program)
