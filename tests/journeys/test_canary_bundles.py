"""A canary whose strategies send by bundles alone, with the real signer, over a configured relay."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from tests.custody.process.ground import Ground, SignerProcess
from tests.journeys.live import LIVE_LIMITS, STRATEGIES, LiveChain, at, granted, lay_down_project, live_chain

from tidegate.app.config import FILE_NAME, load_config
from tidegate.app.places import RELAY_KEY
from tidegate.app.running import Hooks, RunSettings, Until, run_desk
from tidegate.custody import RelayKey
from tidegate.ledger import JournalReader, place_of
from tidegate.model import OutcomeKind, RecordKind, Stage
from tidegate.sim import AttachedWorld, RelayDouble, build_block

BLOCKS = 5


@contextmanager
def served(live: LiveChain) -> Iterator[RelayDouble]:
    """Serve a relay from a thread of its own: another machine, for the canary."""
    ready: Queue[tuple[RelayDouble, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def serve() -> None:
        with AttachedWorld(live.world.url, chain_id=31337) as world:
            async with RelayDouble(world) as relay:
                over = asyncio.Event()
                ready.put((relay, asyncio.get_running_loop(), over))
                await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    relay, loop, over = ready.get(timeout=60)
    try:
        yield relay
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


def run_bundled(folder: Path, live: LiveChain, signer: SignerProcess, relay: RelayDouble) -> dict[str, Any]:
    """Run the canary for some blocks, in none of which its bytes wait with the node; return its summary."""

    def next_block() -> None:
        assert not live.world.waiting(signer.ground.address), "nobody reads them before the block does"
        head = live.world.block()
        time_s = max(int(time.time()), head.timestamp + 1)
        if relay.candidates(head.number + 1, time_s):
            build_block(live.world, [relay], timestamp=time_s)
        else:
            live.advance()

    settings = {**live.settings, **LIVE_LIMITS, **at(signer)}
    settings["chains__live__relays"] = (
        f"[{{name = 'first', url = '{relay.url}', timeout_ms = 60000, supports = ['cancel', 'simulate']}}]"
    )
    settings |= {"limits__orders_per_minute": "100000", "chains__live__block_time_s": "0.2"}
    loaded = load_config(
        folder / FILE_NAME, {key.replace("__", "."): value for key, value in settings.items()}
    )
    home = folder / "home"
    chosen = RunSettings(
        loaded, home, place_of(home / "ledger.sqlite"), Stage.CANARY, "live", Until(blocks=BLOCKS)
    )
    next_block()
    return asyncio.run(run_desk(chosen, Hooks(watch=lambda _: next_block()), asyncio.Event()))


def test_the_canarys_bundles_land_and_no_byte_of_them_was_ever_public(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    lay_down_project(tmp_path)
    for name in STRATEGIES:
        file = tmp_path / "strategies" / f"{name}.yaml"
        relay_block = "\nrelay: {order: [bundle], blocks: 3, builders: [first]}\n"
        file.write_text(file.read_text(encoding="utf-8") + relay_block, encoding="utf-8")
    ground = Ground(tmp_path / "home" / "signer")
    with SignerProcess(ground) as signer, live_chain(tmp_path, ground.address) as live:
        granted(signer, live, Stage.CANARY)
        with served(live) as relay:
            summary = run_bundled(tmp_path, live, signer, relay)
    with JournalReader.open(place_of(tmp_path / "home" / "ledger.sqlite")) as reader:
        sent = [record.body for record in reader.records(RecordKind.SENT)]
        landed = [one for one in reader.attempts() if one.outcome is OutcomeKind.LANDED]
    assert landed, summary
    assert {(body["route"], *body["by"]) for body in sent} == {("bundle", "first")}
    assert relay.methods["eth_callBundle"] >= len(landed), "tried at the relay before it was offered"
    assert relay.askers == {RelayKey(tmp_path / "home" / RELAY_KEY).address}
    assert relay.strangers == 0
