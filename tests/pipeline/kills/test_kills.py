"""Killed anywhere, the street ends as if it had not been: nothing is lost and nothing is done twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chain.sender.ground import count_of, key_of, world_of
from tests.pipeline.kills.scenes import BLOCK_TIME_S, SCENES, Scene
from tests.pipeline.kills.worker import Kill, begin, life_and_death, live

from tidegate.chain import TRANSITIONS
from tidegate.ledger import JournalReader, group, journal
from tidegate.model import RecordKind
from tidegate.sim import ExactWorld

LIVES_MAX = 6
Hooks = dict[str, list[tuple[RecordKind, Kill]]]
"""By scene: every place where a life can end, before and after each record."""


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with world_of(block_time_s=BLOCK_TIME_S) as world:
        yield world


@pytest.fixture
def own_node() -> Iterator[ExactWorld]:
    """A node for one schedule: after some hundred blocks anvil has forgotten states that a reorg needs."""
    with world_of(block_time_s=BLOCK_TIME_S) as world:
        yield world


def play(scene: Scene, world: ExactWorld, folder: Path, kills: list[Kill]) -> int:
    """Play a scene through these deaths and then to its end; return how many deaths there were."""
    begin(world, folder)
    deaths = 0
    for kill in kills:
        if not life_and_death(scene, world, folder, kill):
            break  # it came to its end before that record
        deaths += 1
    else:
        assert not life_and_death(scene, world, folder, None)
    assert_end(scene, world, folder)
    return deaths


def assert_end(scene: Scene, world: ExactWorld, folder: Path) -> None:
    with JournalReader.open(folder / "ledger.sqlite") as reader:
        attempts = reader.attempts()
        told = "; ".join(" ".join((str(one.nonce), *one.states)) for one in attempts)
        assert [one.outcome for one in attempts] == [scene.ends] * scene.intents, told
        assert reader.verify().records > 0
        for attempt in attempts:
            kinds = list(attempt.states)
            assert kinds.count("signature") <= 1, "the content is signed anew in replacements alone"
            assert kinds.count("outcome") == kinds.count("withdrawn") + 1
            assert kinds.count("booking") <= 2 * kinds.count("withdrawn") + 1
        assert count_of(world) == scene.executions, f"lost, or executed twice: {told}"
        money = [line for line in reader.profit_and_loss() if line.entry == "delta"]
        landed = 7 * scene.intents if scene.ends.value == "landed" else 0
        assert sum(line.amount for line in money) == landed, "booked once"
    assert not world.waiting(key_of().address)


def hooks_of(scene: Scene, world: ExactWorld, folder: Path) -> list[tuple[RecordKind, Kill]]:
    """Return every place where a life of the scene can end: before and after each of its records."""
    begin(world, folder)
    kinds = asyncio.run(live(scene, world, folder, None))
    assert_end(scene, world, folder)
    return [
        (kind, Kill(number, after)) for number, kind in enumerate(kinds, start=1) for after in (False, True)
    ]


@pytest.fixture(scope="module")
def hooks(node: ExactWorld, tmp_path_factory: pytest.TempPathFactory) -> Hooks:
    found = {}
    for number, scene in enumerate(SCENES):
        with node.snapshot():
            found[scene.name] = hooks_of(scene, node, tmp_path_factory.mktemp(f"hooks{number}"))
        for waiting in node.waiting(key_of().address):
            node.forget(waiting)
        node.set_base_fee(0)
    return found


def test_the_scenes_write_the_record_of_every_transition_of_the_table(
    hooks: Hooks,
) -> None:
    written = {kind for found in hooks.values() for kind, _ in found}
    assert {row.record for row in TRANSITIONS} <= written
    assert written >= {RecordKind.INTENT, RecordKind.PLAN, RecordKind.AUTHORISATION, RecordKind.BOOKING}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_killed_at_each_kind_of_record_it_ends_the_same(
    scene: Scene, node: ExactWorld, hooks: Hooks, tmp_path: Path
) -> None:
    first_of: dict[tuple[RecordKind, bool], tuple[str, Kill]] = {}
    for name, found in hooks.items():
        for kind, kill in found:
            first_of.setdefault((kind, kill.after), (name, kill))
    for number, (name, kill) in enumerate(first_of.values()):
        if name == scene.name:
            assert alone(node, scene, tmp_path / str(number), [kill]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_killed_at_every_record_it_ends_the_same(
    scene: Scene, own_node: ExactWorld, hooks: Hooks, tmp_path: Path
) -> None:
    for number, (_, kill) in enumerate(hooks[scene.name]):
        assert alone(own_node, scene, tmp_path / str(number), [kill]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(250))
def test_a_random_schedule_of_kills_loses_nothing_and_doubles_nothing(
    seed: int, own_node: ExactWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    # What a kill takes along of the open group depends on the machine's pace; here on the seed.
    age_ns = dice.choice((0, 2_000_000, 10**12))
    for room in (group, journal):
        monkeypatch.setattr(room, "GROUP_AGE_NS", age_ns)
    scene = dice.choice(SCENES)
    lives = dice.randint(1, LIVES_MAX)
    kills = [Kill(dice.randint(1, 12), dice.random() < 0.5) for _ in range(lives)]
    try:
        alone(own_node, scene, tmp_path, kills)
    except AssertionError as error:
        raise AssertionError(f"{scene.name}: {kills}") from error


def alone(node: ExactWorld, scene: Scene, folder: Path, kills: list[Kill]) -> int:
    """Play on the state that the node began with, whatever was played on it before."""
    try:
        with node.snapshot():
            return play(scene, node, folder, kills)
    finally:
        for waiting in node.waiting(key_of().address):
            node.forget(waiting)
        node.set_base_fee(0)
