"""A canary at work, for drills: a chain with a market, the signer's process, and ``tidegate run`` beside it.

All three are what a user starts, in a folder that is thrown away. A second worker asks the signer directly,
as one that went wrong would: it knows no stop, so only the signer's freeze ends its signatures.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.app.config import FILE_NAME
from tidegate.app.devnet import Devnet, NodeRecord, address_book, start_devnet, to_toml
from tidegate.app.devnet.tables import token_tables
from tidegate.app.granting import DESK, Holder, Limits, devnet_grant
from tidegate.app.market import Crowd, Market
from tidegate.app.operate import keep_to_now, let_operate, set_to_now
from tidegate.app.running.sites import assignments_of
from tidegate.app.runtime import Job
from tidegate.app.signer import devnet_issuer, prepare_devnet_signer
from tidegate.app.stopping.known import known_now
from tidegate.app.stopping.lifting import note_for
from tidegate.custody import Purpose, SignerConnection, sign_capability
from tidegate.custody.requests import Done, Signed, SignTransaction, Unfreeze
from tidegate.custody.transactions import encode_unsigned
from tidegate.desks.atomic import load_strategy, new_strategy
from tidegate.ledger import LEDGER, JournalReader, Record, place_of
from tidegate.model import Address, ConfigError, RecordKind, Stage, Unavailable, UnsignedTransaction
from tidegate.risk import StopFolder
from tidegate.sim import ExactWorld

STRATEGIES = {"arb": "flash-arb", "reverse": "flash-arb-reverse"}
ROGUE = "rogue"
"""The intent of which the worker that went wrong speaks."""
_KEY = "operator"
_CHAIN_ID = 31337
_BLOCK_S = 0.2
_START_S = 180.0
_LOOK_S = 0.05
_USD = 10**6
_GWEI = 10**9
_FIRST_ROGUE_NONCE = 1_000_000
_START_USD_E8 = 3_000 * 10**8
_WARM_UP_BLOCKS = 12


@dataclass(slots=True)
class CanaryDrill:
    """What a drill needs of a canary: its signer, what the signer's journal says, and two capabilities."""

    home: Path
    account: Address
    acts: str = ""
    exits: str = ""
    run: _Process | None = None
    nonce: int = _FIRST_ROGUE_NONCE

    def connect(self) -> SignerConnection:
        """Return a connection to the signer, as a worker has it."""
        return SignerConnection(self.home / "signer" / "signer.sock")

    async def is_reached(self) -> bool:
        """Say whether the signer answers."""
        async with self.connect() as signer:
            try:
                await signer.status()
            except Unavailable:
                return False
            return True

    async def signs_anew(self) -> None:
        """Wait until the run has got another signature. Raises ``Unavailable`` if it does not."""
        assert self.run is not None
        seen = len(self.signed_at_ms()[0])

        async def has_signed() -> bool:
            return len(self.signed_at_ms()[0]) > seen

        await _until(self.run, has_signed)

    def signed_at_ms(self) -> tuple[list[int], list[int]]:
        """Return when the signer signed for the run, and for the worker that went wrong."""
        run: list[int] = []
        rogue: list[int] = []
        for record in self._records(RecordKind.ANSWER):
            if record.body.get("signing") and record.body["capability_id"] == self.acts:
                (rogue if record.correlation_id == ROGUE else run).append(record.body["at_ms"])
        return run, rogue

    def frozen_at_ms(self) -> int:
        """Return when the signer was last frozen; 0 if it never was."""
        return max(
            (one.body["at_ms"] for one in self._records(RecordKind.FREEZE) if one.body["is_frozen"]),
            default=0,
        )

    async def ask(self, signer: SignerConnection, capability_id: str) -> bool:
        """Ask for the signature of a cancel, which every capability may sign; say whether it was given."""
        self.nonce += 1
        unsigned = UnsignedTransaction(
            chain_id=_CHAIN_ID,
            nonce=self.nonce,
            to=self.account,
            data=b"",
            value_wei=0,
            gas_limit=21_000,
            max_fee_wei=2 * _GWEI,
            max_priority_fee_wei=_GWEI,
        )
        request = SignTransaction(
            key=_KEY,
            desk=DESK,
            stage=Stage.CANARY,
            capability_id=capability_id,
            intent_id=ROGUE,
            plan_digest=unsigned.content_digest,
            unsigned=encode_unsigned(unsigned),
        )
        return isinstance(await signer.ask(request), Signed)

    async def resume(self) -> None:
        """Unfreeze the signer as its administrator, and end every stop as a person does."""
        async with SignerConnection(self.home / "signer" / "admin.sock") as signer:
            await signer.demand(Unfreeze(reason="the round is over", by="the drill"), Done)
        folder = StopFolder(self.home)
        for stop in known_now(self.home, place_of(self.home / LEDGER)).stops:
            note = note_for(
                scope=str(stop.scope),
                who="the drill",
                reason="the round is over",
                evidence="the drill's record",
                at_ms=time.time_ns() // 10**6,
                stop_id=stop.id,
            )
            folder.write_note(note)

    def street_records(self, *, after: int) -> list[Record]:
        """Return what the run wrote after a record; nothing before it began."""
        try:
            with JournalReader.open(place_of(self.home / LEDGER)) as reader:
                return list(reader.records(after=after))
        except (ConfigError, Unavailable):
            return []

    def _records(self, kind: RecordKind) -> list[Record]:
        with JournalReader.open(place_of(self.home / "signer" / "journal.sqlite")) as reader:
            return list(reader.records(kind))


@asynccontextmanager
async def canary_at_work(folder: Path) -> AsyncIterator[CanaryDrill]:
    """Start chain, market, signer and run in ``folder``; all of them end with the block.

    Raises
    ------
    Unavailable
        If one of them does not come up; with the last that it said.
    """
    home = folder / "home"
    world, devnet = start_devnet(block_time_s=1, order="fees")
    with world:
        set_to_now(world, devnet, int(time.time()))
        prepared = prepare_devnet_signer(home, chain_id=devnet.chain_id, key_name=_KEY)
        jobs = _lay_down(folder, world, devnet)
        assignments = assignments_of(address_book(devnet, world), jobs, prepared.address)
        let_operate(world, assignments, prepared.address)
        advance = _market(world, devnet)
        async with _process(folder, "signer", "run", password=prepared.password) as signer:
            drill = CanaryDrill(home, prepared.address)
            await _until(signer, drill.is_reached)
            drill.exits = await _grant(drill, world, devnet, jobs, Purpose.EXIT)
            drill.acts = await _grant(drill, world, devnet, jobs, Purpose.ACT)
            async with (
                _mining(drill, world, advance),
                _process(folder, "run", "--stage", Stage.CANARY.value) as run,
            ):
                drill.run = run
                await drill.signs_anew()
                yield drill


def _market(world: ExactWorld, devnet: Devnet) -> Callable[[], object]:
    """Return what makes the next block; from here on no other way makes one."""
    market = Market(devnet, seed=7, start_usd_e8=_START_USD_E8)
    crowd = Crowd(devnet, world, competes=False)
    world.set_mining("manual")
    for _ in range(_WARM_UP_BLOCKS):
        crowd.advance(market)

    def advance() -> None:
        keep_to_now(world, int(time.time()))
        crowd.advance(market)

    return advance


@asynccontextmanager
async def _mining(
    drill: CanaryDrill, world: ExactWorld, advance: Callable[[], object]
) -> AsyncIterator[None]:
    """Make blocks as fast as the run keeps up with them: one that lags trades on prices that are gone."""

    async def mine() -> None:
        seq = 0
        while True:
            seq = await _looked(drill, world.block().number, seq)
            await asyncio.to_thread(advance)

    mining = asyncio.create_task(mine())
    try:
        yield
    finally:
        mining.cancel()
        await asyncio.gather(mining, return_exceptions=True)


async def _looked(drill: CanaryDrill, height: int, seq: int) -> int:
    """Wait until every strategy has looked at a block and nothing is written any more; return the head."""
    looked, head = 0, seq
    while True:
        await asyncio.sleep(_LOOK_S)
        new = drill.street_records(after=head)
        looked += sum(one.kind is RecordKind.DECISION and one.body["block"] >= height for one in new)
        if looked >= len(STRATEGIES) and not new:
            return head
        head = new[-1].seq if new else head


def _lay_down(folder: Path, world: ExactWorld, devnet: Devnet) -> list[Job]:
    """Write the project, as a user has it: configuration, address book, strategies."""
    (folder / "addresses.toml").write_text(to_toml(address_book(devnet, world).as_mapping()), "utf-8")
    jobs = []
    for name, template in STRATEGIES.items():
        (folder / f"{name}.yaml").write_text(new_strategy(name, template), "utf-8")
        jobs.append(Job(load_strategy(folder / f"{name}.yaml", token_tables())))
    (folder / FILE_NAME).write_text(
        f"""\
[run]
chain = "live"
[desk.atomic]
strategies = {json.dumps([f"{name}.yaml" for name in STRATEGIES])}
[limits]
notional_per_transaction_usd = 1_000_000
notional_per_hour_usd = 100_000_000
notional_per_day_usd = 100_000_000
orders_per_minute = 100_000
[chains.live]
chain_id = {devnet.chain_id}
kind = "devnet"
block_time_s = {_BLOCK_S}
book = "addresses.toml"
gas_per_day_wei = {10**19}
endpoints = [{{name = "own", url = "{world.url}", operator = "us"}}]
""",
        "utf-8",
    )
    return jobs


async def _grant(
    drill: CanaryDrill, world: ExactWorld, devnet: Devnet, jobs: list[Job], purpose: Purpose
) -> str:
    limits = Limits(
        notional_tx_usd_e6=1_000_000 * _USD,
        notional_day_usd_e6=100_000_000 * _USD,
        at_risk_tx_usd_e6=1_000 * _USD,
        at_risk_day_usd_e6=10_000_000 * _USD,
        tx_day=1_000_000,
        gas_limit_max=5_000_000,
        max_fee_wei=200 * _GWEI,
        deadline_max_s=3_600,
        life_s=3_600,
    )
    port = int(world.url.rpartition(":")[2])
    issuer = devnet_issuer(drill.home)
    capability = devnet_grant(
        NodeRecord(devnet.chain, devnet.chain_id, 1, port, world.pid, "", 0, 0),
        address_book(devnet, world),
        jobs,
        holder=Holder(drill.account, is_throw_away=True),
        stage=Stage.CANARY,
        purpose=purpose,
        limits=limits,
        issuer_key=issuer,
        now_ms=time.time_ns() // 10**6,
    )
    async with drill.connect() as signer:
        await signer.load_capability(sign_capability(capability, issuer))
    return capability.id


@asynccontextmanager
async def _process(folder: Path, *words: str, password: Path | None = None) -> AsyncIterator[_Process]:
    """Start ``tidegate`` with ``words``, as a shell does; ask it to end when the block does."""
    command = [sys.executable, "-m", "tidegate", *words, "--json"]
    if password is not None:
        command = ["/bin/sh", "-c", 'exec "$@" 3< "$0"', str(password), *command]
    log = folder / f"{words[0]}.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, "TIDEGATE_HOME": str(folder / "home"), "TIDEGATE_CONFIG": ""},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield _Process(process, log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@dataclass(frozen=True, slots=True)
class _Process:
    process: asyncio.subprocess.Process
    log: Path


async def _until(running: _Process, holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that a process brings about, as long as that runs."""
    deadline = time.monotonic() + _START_S
    while not await holds():
        if running.process.returncode is not None or time.monotonic() > deadline:
            raise Unavailable(
                "a process of the drill did not come up",
                found=running.log.read_text(errors="replace")[-300:],
                fix="tidegate doctor",
            )
        await asyncio.sleep(_LOOK_S)
