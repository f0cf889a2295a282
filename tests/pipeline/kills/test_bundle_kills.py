"""Killed anywhere on a bundle's way, the street ends as if it had not been; the relay outlives every death.

The relay is a process of its own, as a real one is: what it accepted from a life that was killed it holds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from aiohttp import web
from tests.chain.sender.ground import CHAIN, GWEI, key_of, world_of
from tests.pipeline.kills.scenes import BLOCK_TIME_S, Scene
from tests.pipeline.kills.test_kills import assert_end
from tests.pipeline.kills.worker import Kill, begin, life_and_death, live

from tidegate.model import OutcomeKind, RecordKind, Route, Sending
from tidegate.sim import AttachedWorld, ExactWorld, Manner, RelayDouble, build_block

BUNDLE = Sending(order=(Route.BUNDLE,))
LONG = Sending(order=(Route.BUNDLE,), blocks=9)
SCENES = (
    Scene(
        "lands",
        ("submit", "follow", "mine", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
        sending=BUNDLE,
    ),
    Scene(
        "is refused, then offered again",
        ("submit", "follow", "honest", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
        sending=LONG,
        manner=Manner.REFUSES,
    ),
    Scene(
        "expires",
        (
            "submit",
            "follow",
            "mine",
            "mine",
            "mine",
            "mine",
            "follow",
            "honest",
            "mine",
            "follow",
            "mine",
            "follow",
        ),
        OutcomeKind.DROPPED,
        0,
        lives_s=80,
        sending=BUNDLE,
        manner=Manner.IDLE,
    ),
    Scene(
        "is stopped while it is offered",
        ("submit", "stop", "follow", "mine", "follow", "mine", "follow"),
        OutcomeKind.DROPPED,
        0,
        sending=LONG,
    ),
    Scene(
        "is reorged out and offered again",
        ("submit", "mine", "follow", "mine", "follow", "reorg", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
        sending=LONG,
    ),
    Scene(
        "is replaced with higher fees",
        ("submit", "follow", "mine", "follow", "honest", "mine", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
        max_fee_wei=2 * GWEI,
        stuck_after_blocks=1,
        sending=LONG,
        manner=Manner.IDLE,
    ),
)


@dataclass(frozen=True)
class Builder:
    """Where the process of relay and builder listens: for bundles, and for what the test orders."""

    relay_url: str
    control_url: str

    def order(self, what: str) -> None:
        asking = urllib.request.Request(f"{self.control_url}/{what}", method="POST")
        with urllib.request.urlopen(asking, timeout=60) as answer:
            assert answer.status == 200


async def serve(node_url: str, tell: Connection) -> None:
    """Be the relay, and build a block whenever it is ordered."""
    world = AttachedWorld(node_url, chain_id=CHAIN)
    async with RelayDouble(world) as relay:

        async def ordered(request: web.Request) -> web.Response:
            match request.match_info["order"]:
                case "build":
                    build_block(world, [relay])
                case "forget":
                    relay.held.clear()
                case manner:
                    relay.manner = Manner(manner)
            return web.Response()

        app = web.Application()
        app.router.add_post("/{order}", ordered)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        tell.send((relay.url, f"http://127.0.0.1:{runner.addresses[0][1]}"))
        await asyncio.Event().wait()


def be_builder(node_url: str, tell: Connection) -> None:
    asyncio.run(serve(node_url, tell))


@contextmanager
def builder_of(node: ExactWorld) -> Iterator[Builder]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=be_builder, args=(node.url, there))
    process.start()
    try:
        assert here.poll(60), "the builder does not start"
        yield Builder(*here.recv())
    finally:
        process.terminate()
        process.join()


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with world_of(block_time_s=BLOCK_TIME_S) as world:
        yield world


@pytest.fixture(scope="module")
def builder(node: ExactWorld) -> Iterator[Builder]:
    with builder_of(node) as found:
        yield found


@pytest.fixture
def own_node() -> Iterator[ExactWorld]:
    """A node for one scene: after some hundred blocks anvil has forgotten states that a reorg needs."""
    with world_of(block_time_s=BLOCK_TIME_S) as world:
        yield world


def begin_with(scene: Scene, world: ExactWorld, builder: Builder, folder: Path) -> None:
    begin(world, folder)
    (folder / "relay").write_text(builder.relay_url)
    (folder / "builder").write_text(builder.control_url)
    builder.order("forget")
    builder.order(scene.manner.value)


def play(scene: Scene, world: ExactWorld, builder: Builder, folder: Path, kill: Kill) -> None:
    """Play a scene through one death and then to its end."""
    with world.snapshot():
        begin_with(scene, world, builder, folder)
        assert life_and_death(scene, world, folder, kill), "it was killed"
        assert not life_and_death(scene, world, folder, None)
        assert_end(scene, world, folder)
    clean(world)


def clean(world: ExactWorld) -> None:
    for waiting in world.waiting(key_of().address):
        world.forget(waiting)
    world.set_base_fee(0)


def kills_of(
    scene: Scene, world: ExactWorld, builder: Builder, folder: Path
) -> list[tuple[RecordKind, Kill]]:
    """Play the scene without a death; return every place where a life of it can end."""
    with world.snapshot():
        begin_with(scene, world, builder, folder)
        kinds = asyncio.run(live(scene, world, folder, None))
        assert_end(scene, world, folder)
    clean(world)
    return [
        (kind, Kill(number, after)) for number, kind in enumerate(kinds, start=1) for after in (False, True)
    ]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_bundle_killed_at_the_records_of_its_own_states_ends_the_same(
    scene: Scene, node: ExactWorld, builder: Builder, tmp_path: Path
) -> None:
    found = kills_of(scene, node, builder, tmp_path / "whole")
    last_of = {(kind, kill.after): kill for kind, kill in found if kind in _own(scene)}
    assert last_of
    for number, kill in enumerate(last_of.values()):
        play(scene, node, builder, tmp_path / str(number), kill)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_bundle_killed_at_every_record_ends_the_same(
    scene: Scene, own_node: ExactWorld, tmp_path: Path
) -> None:
    with builder_of(own_node) as builder:
        found = kills_of(scene, own_node, builder, tmp_path / "whole")
        for number, (_, kill) in enumerate(found):
            play(scene, own_node, builder, tmp_path / str(number), kill)


def _own(scene: Scene) -> tuple[RecordKind, ...]:
    """Return where this scene alone is killed in the everyday suite: what the others do not have."""
    by_name = {
        "lands": (RecordKind.NONCE, RecordKind.SIGNATURE, RecordKind.SENT, RecordKind.RECEIPT),
        "is refused, then offered again": (RecordKind.AMBIGUOUS,),
        "expires": (RecordKind.EXPIRING, RecordKind.OUTCOME),
        "is stopped while it is offered": (RecordKind.EXPIRING, RecordKind.REPLACEMENT),
        "is reorged out and offered again": (RecordKind.WITHDRAWN,),
        "is replaced with higher fees": (RecordKind.REPLACEMENT,),
    }
    return by_name[scene.name]
