"""A run goes on when something halts it; ``tidegate resume``, typed elsewhere, lifts it within seconds.

Paper runs on its own node, played as a chain that was there before. What halts it is done to that node, or to
the wire to the key; the run itself is told nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.chain.rpc.support import eventually
from tests.journeys.live import lay_down_project

from tidegate.app import cli
from tidegate.app.config import FILE_NAME, load_config
from tidegate.app.devnet import devnet_key
from tidegate.app.running import Hooks, RunSettings, Site, Until, run_desk, start
from tidegate.app.running.assemble import Assembled
from tidegate.ledger import HaltBody, JournalReader, place_of
from tidegate.model import (
    Address,
    Reason,
    RecordKind,
    SignedTransaction,
    Stage,
    TidegateError,
    TransactionSigner,
    UnsignedTransaction,
)
from tidegate.sim import ExactWorld

GWEI = 10**9


class Wire:
    """What lies between the run and its key; it changes what passes while it ``forges``."""

    capability_id = ""

    def __init__(self, key: TransactionSigner) -> None:
        self.key, self.forges = key, False
        self.address: Address = key.address

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        if self.forges:
            transaction = msgspec.structs.replace(transaction, value_wei=transaction.value_wei + 1)
        return await self.key.sign_transaction(transaction, intent_id=intent_id, plan_digest=plan_digest)


class Running:
    """A run in this process, its node, and what its journal says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.troubles: list[TidegateError] = []
        self.site: Site | None = None
        self.desk: Assembled | None = None
        self.advance: Callable[[], object] = lambda: None

    @property
    def world(self) -> ExactWorld:
        assert self.site is not None
        assert self.site.world is not None
        return self.site.world

    @property
    def wire(self) -> Wire:
        assert self.site is not None
        assert isinstance(self.site.signer, Wire)
        return self.site.signer

    async def they_send(self, nonce: int) -> None:
        """Let somebody else who holds the key use a nonce, dearer than whatever waits under it."""
        theirs = UnsignedTransaction(
            chain_id=31337,
            nonce=nonce,
            to=self.wire.address,
            data=b"theirs",
            value_wei=0,
            gas_limit=100_000,
            max_fee_wei=900 * GWEI,
            max_priority_fee_wei=800 * GWEI,
        )
        other = devnet_key("operator", chain_id=31337)  # it knows nothing of what ours has signed
        signed = await other.sign_transaction(theirs, intent_id="theirs", plan_digest=theirs.content_digest)
        self.world.send_raw(signed.raw)

    def busy_block(self) -> None:
        """Mine a block that holds something: an empty one would be replaced by itself."""
        key = devnet_key("lender", chain_id=31337)
        busy = UnsignedTransaction(
            chain_id=31337,
            nonce=self.world.nonce(key.address),
            to=key.address,
            data=b"",
            value_wei=0,
            gas_limit=21_000,
            max_fee_wei=900 * GWEI,
            max_priority_fee_wei=GWEI,
        )
        digest = busy.content_digest
        self.world.send_raw(key.sign_now(busy, intent_id="busy", plan_digest=digest).raw)
        self.world.mine()

    def read(self, what: Callable[[JournalReader], Any]) -> Any:
        with JournalReader.open(self.folder / "home" / "ledger.sqlite") as reader:
            return what(reader)

    def halts(self) -> list[HaltBody]:
        """Return every record of a halt, oldest first."""
        return self.read(
            lambda reader: [HaltBody.from_body(one.body) for one in reader.records(RecordKind.HALT)]
        )

    def in_force(self) -> set[str]:
        return self.read(lambda reader: {one.name for one in reader.standing(HaltBody.TOPIC)})

    def head(self) -> int:
        return self.read(lambda reader: reader.head()[0])

    def kinds_after(self, seq: int) -> set[RecordKind]:
        return self.read(lambda reader: {one.kind for one in reader.records(after=seq)})

    def reasons_after(self, seq: int) -> set[str | None]:
        return self.read(
            lambda reader: {one.body["reason"] for one in reader.records(RecordKind.OUTCOME, after=seq)}
        )


Scene = Callable[[Running], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    lay_down_project(tmp_path)  # both ways: where one alone trades, the other's gap may stay for ever
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tidegate.app.cli.resume._WAIT_S", 60.0)  # the run beside it may be slow

    def run(scene: Scene, *, before: Scene | None = None, reorg_max_blocks: int | None = None) -> None:
        running = Running(tmp_path)
        _watched(running, monkeypatch, before, reorg_max_blocks)
        asyncio.run(_play(running, scene))

    return run


def _watched(
    running: Running, monkeypatch: pytest.MonkeyPatch, before: Scene | None, reorg_max_blocks: int | None
) -> None:
    """Show the test what a run is made of, and let its node be one that was there before."""
    own_site, own_desk = start.paper_site, start.assembled

    @asynccontextmanager
    async def site_of(*arguments: Any, **named: Any) -> AsyncIterator[Site]:
        async with own_site(*arguments, **named) as site:
            network = site.network
            if reorg_max_blocks is not None:
                network = msgspec.structs.replace(network, reorg_max_blocks=reorg_max_blocks)
            assert site.signer is not None
            assert site.advance is not None
            running.advance = site.advance
            running.site = dataclasses.replace(
                site,
                network=network,
                signer=Wire(site.signer),
                advance=lambda: running.advance(),
                is_new=False,
            )
            if before is not None:
                await before(running)
            yield running.site

    @asynccontextmanager
    async def desk_of(*arguments: Any, **named: Any) -> AsyncIterator[Assembled]:
        async with own_desk(*arguments, **named) as desk:
            running.desk = desk
            yield desk

    monkeypatch.setattr(start, "paper_site", site_of)
    monkeypatch.setattr(start, "assembled", desk_of)


async def _play(running: Running, scene: Scene) -> None:
    loaded = load_config(running.folder / FILE_NAME, {"run.reconcile_every_blocks": "1000000"})
    ledger = place_of(running.folder / "home" / "ledger.sqlite")
    chosen = RunSettings(loaded, running.folder / "home", ledger, Stage.PAPER, "devnet", Until())
    stop, hooks = asyncio.Event(), Hooks(trouble=running.troubles.append, pace_s=0.1)
    task = asyncio.create_task(run_desk(chosen, hooks, stop))
    try:
        await eventually(lambda: task.done() or running.desk is not None)
        assert not task.done(), task
        await scene(running)
        assert not task.done(), "the run goes on"
    finally:
        stop.set()
        summary = await task
    assert summary["ended"] == "asked to stop"


async def resumed(running: Running, scope: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Type the command as a person would, beside the run, and see that it tells the truth."""
    words = ["resume", "--scope", scope, "--reason", "looked", "--evidence", "ticket 9", "--by", "ada"]
    assert await asyncio.to_thread(cli.run_command, [*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ended"] == [{"halt": scope}]
    assert scope not in running.in_force()
    lifted = running.halts()[-1]
    assert (lifted.scope, lifted.lifted, lifted.who) == (scope, True, "ada")
    assert lifted.detail == "looked (evidence: ticket 9)"


async def signs_again(running: Running) -> None:
    seq = running.head()
    await eventually(lambda: RecordKind.SIGNATURE in running.kinds_after(seq))


def test_bytes_changed_between_plan_and_signature_halt_the_desk_until_tidegate_resume(
    play: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene(running: Running) -> None:
        running.wire.forges = True
        await eventually(lambda: running.in_force() == {"desk:atomic"})
        running.wire.forges = False
        seq = running.head()
        await eventually(lambda: Reason.HALTED.value in running.reasons_after(seq))
        assert RecordKind.SIGNATURE not in running.kinds_after(seq)
        await resumed(running, "desk:atomic", capsys)
        await signs_again(running)

    play(scene)


def test_a_nonce_used_by_others_halts_the_key_until_tidegate_resume(
    play: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene(running: Running) -> None:
        def opens() -> bool:
            assert running.desk is not None
            return bool(running.desk.session.street.open_runs)

        await eventually(opens)
        assert running.desk is not None
        (run, *_) = running.desk.session.street.open_runs
        assert run.nonce is not None
        await running.they_send(run.nonce)  # nothing of the run goes on in between
        running.world.mine()
        scope = f"key:31337:{running.wire.address}"
        await eventually(lambda: running.in_force() == {scope})
        await eventually(lambda: "foreign_nonce" in {error.code for error in running.troubles})
        seq = running.head()
        await eventually(lambda: RecordKind.DECISION in running.kinds_after(seq))
        assert RecordKind.SIGNATURE not in running.kinds_after(seq)
        await resumed(running, scope, capsys)
        await signs_again(running)
        await eventually(lambda: run.outcome is not None)
        assert run.outcome is not None
        assert run.outcome.kind.value == "dropped"

    play(scene)


def test_a_transaction_that_nobody_knows_at_a_start_halts_the_key_until_tidegate_resume(
    play: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    async def before(running: Running) -> None:
        await running.they_send(running.world.nonce(running.wire.address))

    async def scene(running: Running) -> None:
        scope = f"key:31337:{running.wire.address}"
        await eventually(lambda: running.in_force() == {scope})
        await eventually(lambda: "unknown_nonce" in {error.code for error in running.troubles})
        await eventually(lambda: Reason.HALTED.value in running.reasons_after(0))
        await resumed(running, scope, capsys)
        assert running.halts()[-1].explained_below > 0
        await signs_again(running)

    play(scene, before=before)


def test_a_reorg_deeper_than_is_followed_halts_the_chain_until_tidegate_resume(
    play: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene(running: Running) -> None:
        running.advance = running.busy_block  # the paper market knows no reorgs
        height = running.world.block().number
        await eventually(lambda: running.world.block().number >= height + 8)
        running.world.reorg(6)
        await eventually(lambda: running.in_force() == {"chain:31337"})
        await eventually(lambda: "reorg_too_deep" in {error.code for error in running.troubles})
        await resumed(running, "chain:31337", capsys)
        seq = running.head()
        await eventually(lambda: RecordKind.DECISION in running.kinds_after(seq))
        assert running.in_force() == set()

    play(scene, reorg_max_blocks=3)
