"""``tidegate bench atomic-load``: two hundred attempts of the atomic desk open at once on one signer.

A devnet node that mines only when it is told to, so that nothing confirms before all have been sent: every
attempt is decided at the same head, quoted in the fast world, compiled, guarded, simulated on the node,
journaled, signed under the next nonce and sent, while those before it are still open. Then blocks are made
until each has its outcome. Lost is an attempt without one; a clash is a nonce that two attempts were signed
for, or that a node refused. Latency is from the decision to look until the signature is there.

Beside it, the largest programs: the longest legal one goes the same way, and a run is mined that has a gas
limit of four fifths of the largest transaction (13,421,772 of 2²⁴) and burns what it can of it. The peer is
the node alone: as many of the same calls, signed beforehand, sent and mined.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from tidegate.app.devnet import change_executor, devnet_key
from tidegate.app.devnet.tables import token_tables
from tidegate.app.runtime import BLOCK_TIME_S, Ground, Job, devnet_ground, give_inventory
from tidegate.app.session import Session, blinds_hashes, run_limits
from tidegate.chain import Sender, SenderSettings, address, devnet_network, encode_call
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.custody import ThrowAwayKey
from tidegate.desks.atomic import AtomicDesk, Strategy, parse_strategy
from tidegate.desks.atomic.review.dry_compile import trial_program
from tidegate.ledger import Journal
from tidegate.model import (
    Address,
    ConfigError,
    OutcomeKind,
    Plan,
    SignedTransaction,
    Stage,
    SystemClock,
    UnsignedTransaction,
)
from tidegate.pipeline import NodeChain, Rehearsal, Street, StreetSettings
from tidegate.risk import LimitBook, LimitTable
from tidegate.sim import PinnedWorlds
from tidegate.venues import StateView, glossary_of
from tidegate.venues.executor import (
    Call,
    Change,
    ExecutorReader,
    Line,
    Permission,
    Program,
    ProgramRefused,
    Role,
    assemble,
    encode_execute,
)

_ATTEMPTS = 200
_A_STRATEGY = 8
"""The most that one strategy may have in flight."""

_MANY = 10**15
_COUNTED = ("open_intents", "open_transactions", "orders_per_minute", "gas_per_day_gwei")
_CEILING = 2**24 * 4 // 5
_BURNER = address(0xB0B0)
_BURNS = bytes.fromhex("5b620400005a116000575f5ff3")
"""Goes round until 262,144 gas are left: JUMPDEST PUSH3 GAS GT PUSH1 0 JUMPI, then an empty return."""

_ANY = bytes(4)

_HEAD = """
strategy: 1
name: {name}
chain: devnet
executor: main1
tokens: [WETH]
trigger: {{manual: {{}}, cooldown: 0 blocks}}
limits: {{max_runs_per_hour: 3600, max_loss_per_day: 1000000 USD, max_in_flight: 8}}
gas: {{max_gas: 6000000, max_base_fee: 100 gwei, priority_fee: 1 gwei}}
deadline: 1 h
bounds: [{{token: WETH, min: -0.001 WETH}}]
steps:
"""
_PAY = "  - {{id: pay{n}, use: erc20.transfer, in: {{token: WETH, to: treasury, amount: {amount}}}}}\n"


class TimedKey:
    """A throw-away key that notes when each intent was signed, and under which nonce."""

    def __init__(self, key: ThrowAwayKey) -> None:
        self._key = key
        self.address, self.capability_id = key.address, key.capability_id
        self.signed_at_s: dict[str, float] = {}
        self.nonces: dict[int, set[str]] = {}

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Sign, and note it."""
        signed = await self._key.sign_transaction(transaction, intent_id=intent_id, plan_digest=plan_digest)
        self.signed_at_s.setdefault(intent_id, time.perf_counter())
        self.nonces.setdefault(transaction.nonce, set()).add(intent_id)
        return signed


def run(attempts: int = _ATTEMPTS) -> dict[str, Any]:
    """Return what became of the attempts, and how long each took from its decision to its signature."""
    strategies = [_strategy(f"load-{number}", 1) for number in range(-(-attempts // _A_STRATEGY))]
    longest, longest_bytes = _longest()
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=Path.cwd()) as folder,
        devnet_ground([Job(one) for one in (*strategies, longest)]) as ground,
    ):
        give_inventory(ground)
        heavy_gas = _heavy(ground)
        _let_peer_operate(ground)
        ground.world.set_mining("manual")
        found = asyncio.run(
            _measure(ground, Path(folder), [one.name for one in strategies], longest, attempts)
        )
    taken = sorted(found.taken_s)
    rate, peer_rate = attempts / found.seconds, attempts / found.peer_seconds
    return {
        "name": "atomic-load",
        "peer": "the node alone: the same calls, signed beforehand, sent and mined",
        "ratio": round(rate / peer_rate, 3),
        "attempts": attempts,
        "open_at_once": found.open_at_once,
        "landed": found.outcomes[OutcomeKind.LANDED],
        "lost": attempts - sum(found.outcomes.values()),
        "nonce_clashes": found.clashes,
        "decide_to_signed_ms_p50": round(1e3 * statistics.median(taken), 1),
        "decide_to_signed_ms_p95": round(1e3 * taken[int(0.95 * (len(taken) - 1))], 1),
        "decide_to_signed_cpu_ms": round(1e3 * found.cpu_s / attempts, 1),
        "attempts_s": round(rate, 1),
        "peer_attempts_s": round(peer_rate, 1),
        "longest_program_bytes": longest_bytes,
        "longest_landed": found.longest is OutcomeKind.LANDED,
        "heavy_gas_limit": _CEILING,
        "heavy_gas_used": heavy_gas,
        "budgets": {"lost": 0, "nonce_clashes": 0, "decide_to_signed_ms_p95": 150},
    }


class _Found(msgspec.Struct):
    taken_s: list[float]
    outcomes: Counter[OutcomeKind]
    open_at_once: int
    clashes: int
    seconds: float
    cpu_s: float
    longest: OutcomeKind
    peer_seconds: float


async def _measure(
    ground: Ground, folder: Path, names: list[str], longest: Strategy, attempts: int
) -> _Found:
    network = devnet_network(ground.devnet.chain_id, block_time_s=BLOCK_TIME_S)
    key = TimedKey(devnet_key("operator", chain_id=ground.devnet.chain_id))
    worlds = PinnedWorlds(ground.world.url, block_time_s=BLOCK_TIME_S)
    with closing(worlds), Journal.open(folder / "ledger.sqlite", clock=SystemClock()) as journal:
        async with RpcPool(network, [Endpoint("node", ground.world.url)]) as pool:
            chain = NodeChain(pool.reads(keep=Keep.NOTHING), pool.send_raw, network)
            desk = _desk(ground, chain, worlds, key.address)
            settings = SenderSettings(open_max=2 * attempts)
            street = Street(
                stage=Stage.PAPER,
                desk=desk,
                chain=chain,
                sender=Sender(signer=key, chain=chain, journal=journal, network=network, settings=settings),
                journal=journal,
                limits=run_limits(desk, ground.assignments),
                book=LimitBook(LimitTable(stage=Stage.PAPER, allowed=dict.fromkeys(_COUNTED, _MANY))),
                settings=StreetSettings(waiting_max=2 * attempts),
            )
            session = Session(
                desk=desk,
                street=street,
                journal=journal,
                clock=SystemClock(),
                chain=chain,
                operator=key.address,
            )
            await _attempt(session, names[0])  # warm
            await _settled(ground, street)
            starts: dict[str, float] = {}
            began, cpu_began = time.perf_counter(), time.process_time()
            for number in range(attempts):
                decided_s = time.perf_counter()
                starts[await _attempt(session, names[number % len(names)])] = decided_s
            cpu_s, open_at_once = time.process_time() - cpu_began, len(street.open_runs)
            outcomes = await _settled(ground, street)
            seconds = time.perf_counter() - began
            await _attempt(session, longest.name)
            (last,) = await _settled(ground, street)
            peer_seconds = await _peer(ground, pool, attempts)
    return _Found(
        [key.signed_at_s[intent] - start for intent, start in starts.items()],
        Counter(outcomes),
        open_at_once,
        sum(len(intents) > 1 for intents in key.nonces.values()),
        seconds,
        cpu_s,
        last,
        peer_seconds,
    )


def _desk(ground: Ground, chain: NodeChain, worlds: PinnedWorlds, account: Address) -> AtomicDesk:
    async def rehearse(plan: Plan) -> Rehearsal:
        return await chain.simulate(plan, sender=account)

    def state_at(block: int | None) -> StateView:
        return worlds.at("latest" if block is None else block)

    devnet = ground.devnet
    reader = ExecutorReader(
        treasury=devnet.accounts["treasury"], weth=devnet.weth, glossary=glossary_of(ground.book)
    )
    return AtomicDesk(
        ground.assignments,
        state_at=state_at,
        rehearse=rehearse,
        reader=reader,
        blinds_hashes=blinds_hashes(ground.assignments, "bench"),
    )


async def _attempt(session: Session, subject: str) -> str:
    """Decide, walk as far as sending, and return the intent's id; whatever refuses ends the bench."""
    look = session.look(subject, session.by_hand())
    if look.decision.intent is None:
        raise RuntimeError(f"{subject} did not act: {look.decision.detail}")
    outcome = await session.act(look.decision.intent)
    if outcome is not None:
        raise RuntimeError(f"{subject} ended as {outcome.kind}: {outcome.detail}")
    return look.decision.intent.id


async def _settled(ground: Ground, street: Street) -> list[OutcomeKind]:
    """Make blocks until no run is open; return how those ended."""
    ended: list[OutcomeKind] = []
    while street.open_runs:
        ground.world.mine()
        ended += [outcome.kind for outcome in await street.follow()]
    return ended


async def _peer(ground: Ground, pool: RpcPool, attempts: int) -> float:
    """Return the seconds that the same calls take when nothing is asked before they are sent."""
    key = _peer_key(ground)
    data = encode_execute(_payments(ground, attempts))
    raws = []
    for nonce in range(attempts):
        unsigned = UnsignedTransaction(
            ground.devnet.chain_id, nonce, ground.devnet.executor, data, 0, 300_000, 10**11, 10**9
        )
        raws.append(key.sign_now(unsigned, intent_id="peer", plan_digest=unsigned.content_digest).raw)
    reads = pool.reads(keep=Keep.NOTHING)
    began = time.perf_counter()
    hashes = [await pool.send_raw(raw) for raw in raws]
    while await reads.receipt(hashes[-1]) is None:
        ground.world.mine()
    return time.perf_counter() - began


def _peer_key(ground: Ground) -> ThrowAwayKey:
    return ThrowAwayKey("bench peer", stage=Stage.PAPER, chain_ids=frozenset({ground.devnet.chain_id}))


def _payments(ground: Ground, attempts: int) -> bytes:
    """Return the program of one attempt, without an id: it may run as often as anyone likes."""
    transfer = encode_call("transfer(address,uint256)", ground.devnet.accounts["treasury"], attempts)
    return assemble(
        Program(
            chain_id=ground.devnet.chain_id,
            deadline=2**40 - 1,
            max_base_fee=10**11,
            registers=0,
            lines=(Line(ground.devnet.weth, -(10**15), payout=False),),
            ops=(Call(0, ground.devnet.weth, transfer),),
        )
    )


def _heavy(ground: Ground) -> int:
    """Mine a run whose gas limit is four fifths of the largest transaction; return the gas that it burnt."""
    world, devnet = ground.world, ground.devnet
    world.set_code(_BURNER, _BURNS)
    change_executor(world, devnet, [Change.policy(_BURNER, _ANY, Permission(call=True))])
    program = Program(
        chain_id=devnet.chain_id,
        deadline=2**40 - 1,
        max_base_fee=10**11,
        registers=0,
        lines=(Line(devnet.weth, 0, payout=False),),
        ops=(Call(0, _BURNER, _ANY),),
    )
    data = encode_execute(assemble(program))
    return world.transact(
        devnet.executor, data, sender=devnet.accounts["operator"], gas_limit=_CEILING
    ).gas_used


def _let_peer_operate(ground: Ground) -> None:
    account = _peer_key(ground).address
    ground.world.set_balance(account, 10**21)
    change_executor(ground.world, ground.devnet, [Change.role(account, Role.OPERATOR)])


def _longest() -> tuple[Strategy, int]:
    """Return the strategy of most payments whose program is still legal, and how long that is."""
    tables = token_tables()["devnet"]
    size, payments = 0, 0
    while True:
        candidate = _strategy("longest", payments + 1)
        try:
            size = len(trial_program(candidate, tables).raw)
        except (ConfigError, ProgramRefused):
            return _strategy("longest", payments), size
        payments += 1


def _strategy(name: str, payments: int) -> Strategy:
    steps = "".join(_PAY.format(n=number, amount=number + 1) for number in range(payments))
    text = _HEAD.format(name=name) + steps
    return parse_strategy(text.encode(), f"{name}.yaml", token_tables())
