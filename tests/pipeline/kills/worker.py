"""A worker that plays a scene, killed by SIGKILL right before or right after a record of its journal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
from tests.chain.rpc.support import PATIENT_S
from tests.chain.sender.ground import CHAIN, SlyKey, key_of, pool_of
from tests.pipeline.fakes import FakeDesk, intent
from tests.pipeline.kills.scenes import Scene, SceneChain, foreign, plan_of

from tidegate.chain import Sender, SenderSettings, State, Ways, devnet_network
from tidegate.chain.relays import BundleRelay, Dispatch, RelayPlace
from tidegate.chain.rpc import RpcPool
from tidegate.custody import RelayKey
from tidegate.ledger import Journal
from tidegate.model import (
    Denied,
    Divergence,
    Intent,
    Operation,
    Plan,
    Reason,
    RecordKind,
    Stage,
    SystemClock,
)
from tidegate.pipeline import NodeChain, Run, Street, recover
from tidegate.risk import Place, RunLimits
from tidegate.sim import ExactWorld

ROUNDS = 30


@dataclass(frozen=True)
class Kill:
    """Where the signal comes: before or after the n-th record (from 1) that the worker writes."""

    record: int
    after: bool


class Mortal:
    """A journal whose process dies at one record; the counted kinds are the hook points."""

    def __init__(self, journal: Journal, kill: Kill | None) -> None:
        self._journal, self._kill = journal, kill
        self.kinds: list[RecordKind] = []

    def append(self, kind: RecordKind, *arguments: object, **named: object) -> object:
        is_last = self._is_last(kind)
        record = self._journal.append(kind, *arguments, **named)  # type: ignore[arg-type]
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    async def append_and_wait(self, kind: RecordKind, *arguments: object, **named: object) -> object:
        is_last = self._is_last(kind)
        record = await self._journal.append_and_wait(kind, *arguments, **named)  # type: ignore[arg-type]
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    def _is_last(self, kind: RecordKind) -> bool:
        self.kinds.append(RecordKind(kind))
        is_here = self._kill is not None and len(self.kinds) == self._kill.record
        if is_here and self._kill is not None and not self._kill.after:
            os.kill(os.getpid(), signal.SIGKILL)
        return is_here

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)


@dataclass(frozen=True)
class FileStop:
    """A stop that is in force while a file is there, whoever lives."""

    path: Path

    def blocking(self, place: Place, operation: Operation) -> FileStop | None:
        return self if self.path.exists() and not operation.is_exit else None

    def as_denied(self) -> Denied:
        return Denied(Reason.STOPPED, "a person stopped the desk")


class SceneDesk(FakeDesk):
    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    async def plan(self, wanted: Intent) -> Plan:
        return plan_of(wanted, self._scene)


class Worker:
    """One life of the process that walks the street."""

    def __init__(
        self,
        scene: Scene,
        world: ExactWorld,
        folder: Path,
        pool: RpcPool,
        mortal: Mortal,
        ways: Ways | None = None,
    ) -> None:
        self._scene, self._world, self._folder = scene, world, folder
        network = msgspec.structs.replace(devnet_network(CHAIN), confirmations=2, reorg_max_blocks=3)
        self._chain = SceneChain(pool, world, scene)
        key = SlyKey(key_of())
        if scene.signer_says is not None:
            key.answers = [scene.signer_says] * 50
        self._sender = Sender(
            signer=key,
            chain=self._chain,  # type: ignore[arg-type]
            journal=mortal,  # type: ignore[arg-type]
            network=network,
            settings=SenderSettings(stuck_after_blocks=scene.stuck_after_blocks),
            ways=ways,
        )
        self._street = Street(
            stage=Stage.PAPER,
            desk=SceneDesk(scene),
            chain=NodeChain(self._chain.reads, self._chain.send_raw, network),
            sender=self._sender,
            journal=mortal,  # type: ignore[arg-type]
            limits={"strategy": RunLimits(max_in_flight=9)},
            stops=(FileStop(folder / "stopped"),),
        )
        self._journal = mortal

    async def play(self) -> None:
        """Recover, go on with the script, and mine until nothing is owed any more."""
        await recover(self._street, self._journal, now_ms=SystemClock().now_ms())  # type: ignore[arg-type]
        progress = self._progress()
        if progress > 0:
            await self._do("submit")  # the desk decides the same again: the second is the first
        for word in self._scene.script[progress:]:
            await self._do(word)
            self._note(self._progress() + 1)
        for _ in range(ROUNDS):
            if not self._street.open_runs and not self._street.watched_runs:
                return
            await self._do("mine")
            await self._do("follow")

    async def _do(self, word: str) -> None:
        match word:
            case "submit":
                await asyncio.gather(*(self._street.submit(one) for one in self._intents()))
            case "follow":
                try:
                    await self._street.follow()
                except Divergence:
                    assert "foreign" in self._scene.script
            case "mine" if self._scene.sending is not None:
                await ask_builder(self._folder, "build")
            case "mine":
                self._world.mine()
            case "stop":
                (self._folder / "stopped").touch()
            case "refuses" | "idle" | "honest":
                await ask_builder(self._folder, word)
            case "late":
                head = self._world.block()
                self._world.mine(timestamp=max(self._deadline_s(), head.timestamp + 1))
            case "reorg":
                self._world.reorg(2)
            case "forget":
                for waiting in self._world.waiting(key_of().address):
                    self._world.forget(waiting)
            case "first again":
                self._first_again()
            case "foreign":
                self._world.send_raw(foreign(0))
                self._world.mine()
            case "lift":
                await self._sender.lift(who="ada", why="it was our own tool")
            case _:
                raise AssertionError(word)

    def _first_again(self) -> None:
        """Let a node that still holds the first version win over the second."""
        for run in self._runs():
            if run.tracked is not None and len(run.tracked.versions) > 1:
                first, *others = run.tracked.versions
                for other in others:
                    self._world.forget(other.hash)
                self._world.set_base_fee(0)
                self._world.send_raw(first.signed.raw)

    def _runs(self) -> tuple[Run, ...]:
        return (*self._street.open_runs, *self._street.watched_runs)

    def _intents(self) -> list[Intent]:
        deadline_s = self._deadline_s()
        return [intent(f"intent-{number}", deadline_s=deadline_s) for number in range(self._scene.intents)]

    def _deadline_s(self) -> int:
        return int((self._folder / "began").read_text()) + self._scene.lives_s

    def _progress(self) -> int:
        path = self._folder / "progress"
        return int(path.read_text()) if path.exists() else 0

    def _note(self, progress: int) -> None:
        (self._folder / "progress").write_text(str(progress))


async def ask_builder(folder: Path, order: str) -> None:
    """Have the relay's process do something; it is another than ours, and outlives us."""
    url = (folder / "builder").read_text()
    async with aiohttp.ClientSession() as session, session.post(f"{url}/{order}") as answer:
        assert answer.status == 200, order


@asynccontextmanager
async def ways_of(scene: Scene, folder: Path, pool: RpcPool) -> AsyncIterator[Ways | None]:
    """Return the way out to the scene's relay, None where the scene has none."""
    if scene.sending is None:
        yield None
        return
    place = RelayPlace("relay", (folder / "relay").read_text(), timeout_s=PATIENT_S)
    relay = BundleRelay(place, RelayKey(folder / "relay.key"))
    dispatch = Dispatch(pool, [relay])
    try:
        yield dispatch
    finally:
        await dispatch.close()
        await relay.close()


async def live(scene: Scene, world: ExactWorld, folder: Path, kill: Kill | None) -> list[RecordKind]:
    """Live one life; return the kinds of the records that were written in it."""
    async with pool_of(world) as pool:
        with Journal.open(folder / "ledger.sqlite", clock=SystemClock()) as journal:
            mortal = Mortal(journal, kill)
            async with ways_of(scene, folder, pool) as ways:
                await Worker(scene, world, folder, pool, mortal, ways).play()
            return mortal.kinds


def in_a_process(work: Callable[[], None]) -> int:
    """Run ``work`` in a process of its own and return how that ended, as ``waitpid`` says it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  the child must never come back into the test
            os.write(2, "".join(traceback.format_exception(error)).encode())
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def life_and_death(scene: Scene, world: ExactWorld, folder: Path, kill: Kill | None) -> bool:
    """Live one life in a process of its own; say whether it was killed on the way."""

    def work() -> None:
        asyncio.run(live(scene, world, folder, kill))

    status = in_a_process(work)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, f"{scene.name}, {kill}: the worker failed"
    return False


def begin(world: ExactWorld, folder: Path) -> None:
    """Note when the scene began, so that every life has the same deadline."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "began").write_text(json.dumps(world.block().timestamp))


__all__ = ["Kill", "State", "begin", "life_and_death", "live"]
