"""The executor drill: stop, pause, revoke, sweep, switch, restore; on a devnet, by the code of the commands.

Two equal executors stand on a node of our own that mines a block a second. What guardian and rescuer do in an
emergency is done to them, timed from the order to the block; then the owner's Safe puts everything back, and
the state must be what it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from tidegate.app.config import LoadedConfig, load_config
from tidegate.app.deploying import read_executor, write_book
from tidegate.app.deploying.operating import Named, diff_pair, revoke_entries, sweep_all, switch_pair
from tidegate.app.devnet import Devnet, act_as_owner, address_book, start_devnet, to_toml
from tidegate.app.devnet.tables import token_tables
from tidegate.app.places import Place, place_of
from tidegate.app.runtime import Job
from tidegate.app.safes import emergency_packs, look_at, safe_address, simulated
from tidegate.app.stopping.pausing import pause_contracts
from tidegate.chain import decode_output, encode_call
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.desks.atomic import joint_policy, loss_limits, parse_strategy, template_text
from tidegate.ledger import DrillBody
from tidegate.model import Address
from tidegate.risk import Scope, StopFolder, StopOrder
from tidegate.sim import ExactWorld
from tidegate.venues import Entry
from tidegate.venues.executor import (
    CHANGES_MAX,
    Change,
    ExecutorState,
    Role,
    deploy_executor,
    encode_apply,
    encode_schedule,
    encode_unpause,
)
from tidegate.venues.tokens import transfer

STOP_AIM_MS, SEEN_AIM_MS, MINED_AIM_BLOCKS = 1_000, 5_000, 3
MAIN, BACKUP, CHAIN = "main1", "backup1", "drill"
PROTOCOL, OPERATOR, STRATEGY = "uniswap_v2", "operator", "flash-arb"
GUARDIAN, RESCUER = "guardian", "admin"
NO_PASSWORD = "terminal"  # noqa: S105 - keys of a devnet have none
FUNDS_WEI = 10**18
_MS = 1_000_000
_WATCH_S = 0.02


@dataclass(slots=True)
class _Deed:
    """One deed: from the order until a node had its first transaction, and until all of it was in blocks."""

    seen_ms: int
    done_ms: int
    blocks: int


@dataclass(slots=True)
class _Drill:
    """What a drill has of its world, and what it has measured."""

    world: ExactWorld
    devnet: Devnet
    loaded: LoadedConfig
    home: Path
    started_ns: int = field(default_factory=time.monotonic_ns)
    steps: list[tuple[str, int]] = field(default_factory=list)
    deeds: dict[str, _Deed] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.steps.append((what, (time.monotonic_ns() - self.started_ns) // _MS))

    def hold(self, what: str, holds: bool) -> None:
        if not holds:
            self.faults.append(what)

    @property
    def place(self) -> Place:
        return place_of(CHAIN, self.loaded, self.home)

    async def state(self, name: str) -> ExecutorState:
        async with self.place.pool() as pool:
            return (await read_executor(pool, self.place.require_book().executor(name))).state

    async def timed(self, name: str, actor: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do a deed, and see beside it when the node has the actor's first transaction."""
        account = self.devnet.accounts[actor]
        self.note(f"{name}: ordered")
        async with self.place.pool() as pool:
            reads = pool.reads(keep=Keep.NOTHING)
            before, head = await reads.nonce(account, "pending"), (await reads.block()).number
            began, seen_ms = time.monotonic_ns(), 0
            doing = asyncio.ensure_future(work())
            while not doing.done() and not seen_ms:
                if await reads.nonce(account, "pending") > before:
                    seen_ms = max(1, (time.monotonic_ns() - began) // _MS)
                await asyncio.sleep(_WATCH_S)
            done = await doing
            done_ms = (time.monotonic_ns() - began) // _MS
            blocks = (await reads.block()).number - head
            sent = await reads.nonce(account, "pending") - before
        self.deeds[name] = _Deed(seen_ms or done_ms, done_ms, -(-blocks // max(1, sent)))
        self.note(f"{name}: in a block")
        return done


async def drill_executor() -> DrillBody:
    """Play the emergency through on a devnet of its own and return its record.

    Raises
    ------
    Unavailable
        If the world can not be started.
    """
    started_ms = time.time_ns() // _MS
    world, devnet = start_devnet(block_time_s=1)
    with world, TemporaryDirectory(prefix="tidegate-drill-") as folder:
        drill = _prepared(world, devnet, Path(folder))
        main, backup = await drill.state(MAIN), await drill.state(BACKUP)
        packs = await _rehearsed(drill)
        world.set_mining("interval")
        stop_ms = _stop(drill)
        await _pause(drill)
        await _revoke(drill, main)
        await _sweep(drill)
        await _switch(drill)
        world.set_mining("auto")
        await _restore(drill, main, backup)
        figures = _figures(drill, stop_ms, packs)
    in_time = _is_in_time(stop_ms, drill.deeds)
    late = () if in_time else ("a deed took longer than its aim",)
    return DrillBody(
        drill="executor",
        world="devnet",
        passed=not drill.faults and in_time,
        started_ms=started_ms,
        steps=tuple(drill.steps),
        figures=figures,
        detail="; ".join((*drill.faults, *late)),
    )


def _is_in_time(stop_ms: int, deeds: Mapping[str, _Deed]) -> bool:
    """Say whether the stop and every deed reached their aims."""
    return (
        stop_ms < STOP_AIM_MS
        and all(one.seen_ms < SEEN_AIM_MS for one in deeds.values())
        and all(one.blocks <= MINED_AIM_BLOCKS for one in deeds.values())
    )


def _prepared(world: ExactWorld, devnet: Devnet, home: Path) -> _Drill:
    """Put two equal executors that hold funds into a world, and a configuration over it."""
    accounts = devnet.accounts
    backup = deploy_executor(
        world,
        owner=devnet.owner_safe.address,
        treasury=accounts["treasury"],
        weth=devnet.weth,
        deployer=accounts["deployer"],
        delay_s=0,
        guardians=(accounts[GUARDIAN],),
    )
    book = address_book(devnet, world).with_entries(Entry(name=f"executor.{BACKUP}", address=backup))
    names = (f"executor.{MAIN}", f"executor.{BACKUP}")
    written = {name: entry for name, entry in book.contracts.items() if name not in names}
    (home / "book.toml").write_text(to_toml(msgspec.structs.replace(book, contracts=written).as_mapping()))
    (home / "tidegate.toml").write_text(
        f'[chains.{CHAIN}]\nchain_id = {devnet.chain_id}\nkind = "devnet"\nblock_time_s = 1\n'
        f'book = "book.toml"\n\n[[chains.{CHAIN}.endpoints]]\nname = "node"\nurl = "{world.url}"\n'
    )
    strategy = parse_strategy(template_text(STRATEGY).encode(), f"{STRATEGY}.yaml", token_tables())
    job = Job(strategy).assignment(book, accounts["operator"])
    changes = (
        *joint_policy((job,), world),
        *loss_limits((job,)),
        Change.role(accounts[RESCUER], Role.RESCUER),
    )
    _govern(world, devnet, devnet.executor, changes)
    _govern(world, devnet, backup, (*changes, Change.role(accounts[OPERATOR], Role.OPERATOR)))
    transfer(world, devnet.weth, devnet.executor, FUNDS_WEI, holder=accounts["trader"])
    drill = _Drill(world, devnet, load_config(home / "tidegate.toml"), home)
    write_book(drill.place, book, names)
    return drill


def _govern(world: ExactWorld, devnet: Devnet, executor: Address, changes: tuple[Change, ...]) -> None:
    for start in range(0, len(changes), CHANGES_MAX):
        batch = changes[start : start + CHANGES_MAX]
        act_as_owner(world, devnet, executor, encode_schedule(batch))
        act_as_owner(world, devnet, executor, encode_apply(batch))


async def _rehearsed(drill: _Drill) -> int:
    """Build the Safe's emergency packs anew and simulate each; return how many would do what they say."""
    place = drill.place
    safe = safe_address(place, None)
    async with place.pool() as pool:
        reads = pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
        packs = await emergency_packs(place, reads, safe)
        state, _ = await look_at(reads, safe)
    good = [name for name, one in packs.items() if simulated(place, one, state).succeeded]
    drill.hold(f"packs that would fail: {sorted({*packs} - {*good})}", len(good) == len(packs) > 0)
    drill.note("packs built and simulated")
    return len(good)


def _stop(drill: _Drill) -> int:
    began = time.monotonic_ns()
    order = StopOrder(scope="desk:atomic", reason="drill", who=("the drill",), at_ms=time.time_ns() // _MS)
    StopFolder(drill.home).write_stop(order)
    drill.note("stop: durable")
    return (time.monotonic_ns() - began) // _MS


async def _pause(drill: _Drill) -> None:
    def pause() -> Any:
        return pause_contracts(Scope.parse("desk:atomic"), drill.loaded, drill.home)

    await drill.timed("pause", GUARDIAN, lambda: asyncio.to_thread(pause))
    for name in (MAIN, BACKUP):
        drill.hold(f"{name} is not paused", (await drill.state(name)).is_paused)


async def _revoke(drill: _Drill, before: ExecutorState) -> None:
    """Take a protocol away from both, and the operator's role."""
    for deed, named in (
        ("revoke_protocol", Named(protocol=PROTOCOL)),
        ("revoke_operator", Named(operator=OPERATOR)),
    ):
        for name in (MAIN, BACKUP):
            label = deed if name == MAIN else f"{deed}_of_backup"
            await drill.timed(label, GUARDIAN, partial(_revoked, drill, name, named))
    for name in (MAIN, BACKUP):
        state = await drill.state(name)
        drill.hold(f"{name} has an operator", not state.holders(Role.OPERATOR))
        drill.hold(f"{name} lost nothing", len(state.entries) < len(before.entries) - 1)


async def _revoked(drill: _Drill, name: str, named: Named) -> Any:
    return await revoke_entries(
        CHAIN, name, named, drill.loaded, drill.home, key=GUARDIAN, password=NO_PASSWORD, safe=None
    )


async def _sweep(drill: _Drill) -> None:
    token, treasury = drill.devnet.weth, drill.devnet.accounts["treasury"]
    async with drill.place.pool() as pool:
        before = await _held(pool, token, treasury)

        async def sweep() -> Any:
            return await sweep_all(
                CHAIN, MAIN, drill.loaded, drill.home, key=RESCUER, password=NO_PASSWORD, safe=None
            )

        await drill.timed("sweep", RESCUER, sweep)
        left = await _held(pool, token, drill.devnet.executor)
        gained = await _held(pool, token, treasury) - before
    drill.hold(f"{left} wei of WETH were left behind", left == 0)
    drill.hold(f"the treasury gained {gained} wei of WETH", gained == FUNDS_WEI)


async def _switch(drill: _Drill) -> None:
    """Let the owner unpause the backup, and let it take the main one's name."""
    book = drill.place.require_book()
    old, new = book.executor(MAIN).address, book.executor(BACKUP).address
    drill.world.set_mining("auto")
    act_as_owner(drill.world, drill.devnet, new, encode_unpause())
    drill.world.set_mining("interval")
    began = time.monotonic_ns()
    await switch_pair(CHAIN, MAIN, BACKUP, drill.loaded, drill.home, key=GUARDIAN, password=NO_PASSWORD)
    drill.deeds["switch"] = _Deed(0, (time.monotonic_ns() - began) // _MS, 0)
    drill.note("switch: in the book")
    book = drill.place.require_book()
    is_switched = (book.executor(MAIN).address, book.executor(BACKUP).address) == (new, old)
    drill.hold("the book has not switched", is_switched)


async def _restore(drill: _Drill, main: ExecutorState, backup: ExecutorState) -> None:
    """Have the owner put back what was taken, and compare with what was."""
    for before in (main, backup):
        now = await drill.state(BACKUP if before.executor == main.executor else MAIN)
        gone = tuple(one for one in before.entries if one not in now.entries)
        _govern(drill.world, drill.devnet, before.executor, gone)
        if now.is_paused:
            act_as_owner(drill.world, drill.devnet, before.executor, encode_unpause())
    drill.note("restored")
    for before, name in ((main, BACKUP), (backup, MAIN)):
        now = await drill.state(name)
        drill.hold(f"{name} is not what it was", set(now.entries) == set(before.entries))
        drill.hold(f"{name} is paused", not now.is_paused)
    value = await diff_pair(CHAIN, MAIN, BACKUP, drill.loaded, drill.home, safe=None)
    drill.hold("the two executors differ", value["ok"])
    drill.note("compared")


def _figures(drill: _Drill, stop_ms: int, packs: int) -> dict[str, int]:
    figures = {"packs_rehearsed": packs, "stop_durable_ms": stop_ms}
    for name, one in drill.deeds.items():
        figures[f"{name}_ms"] = one.done_ms
        if one.seen_ms:
            figures |= {f"{name}_broadcast_ms": one.seen_ms, f"{name}_blocks": one.blocks}
    return figures | {
        "stop_aim_ms": STOP_AIM_MS,
        "broadcast_aim_ms": SEEN_AIM_MS,
        "mined_aim_blocks": MINED_AIM_BLOCKS,
    }


async def _held(pool: RpcPool, token: Address, holder: Address) -> int:
    reads = pool.reads(keep=Keep.NOTHING)
    answer = await reads.call(token, encode_call("balanceOf(address)", holder))
    return int(decode_output(("uint256",), answer)[0])
