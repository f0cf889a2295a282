"""The doctor asks each relay, and looks whether the relay key owns anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.app.config import check_config, load_config
from tidegate.app.doctor import look_at_chains
from tidegate.app.findings import Finding
from tidegate.app.places import RELAY_KEY
from tidegate.custody import RelayKey
from tidegate.model import SystemClock
from tidegate.sim import ExactWorld, Manner, RelayDouble


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with ExactWorld(chain_id=31337, block_time_s=1) as world:
        world.mine()
        yield world


def written(folder: Path, node_url: str, relay_url: str, *, chain_id: int = 31337) -> Path:
    kind = 'kind = "devnet"\n' if chain_id == 31337 else ""
    path = folder / "tidegate.toml"
    path.write_text(
        f'[run]\nstage = "fork"\nchain = "here"\n[chains.here]\nchain_id = {chain_id}\n{kind}'
        f'[[chains.here.endpoints]]\nname = "one"\nurl = "{node_url}"\n'
        f'[[chains.here.relays]]\nname = "first"\nurl = "{relay_url}"\ntimeout_ms = 60000\n',
        encoding="utf-8",
    )
    return path


def found_with(node: ExactWorld, home: Path, manner: Manner) -> dict[str, Finding]:
    async def look() -> list[Finding]:
        async with RelayDouble(node, manner) as relay:
            loaded = load_config(written(home, node.url, relay.url))
            return await asyncio.to_thread(look_at_chains, loaded, home, SystemClock())

    return {finding.check: finding for finding in asyncio.run(look())}


def test_a_relay_that_answers_is_well_and_no_key_is_made_for_the_asking(
    node: ExactWorld, tmp_path: Path
) -> None:
    found = found_with(node, tmp_path, Manner.HONEST)
    assert found["relay here.first"].ok
    assert "cancel" in found["relay here.first"].found
    assert "made at the first start" in found["relay key here"].found
    assert not (tmp_path / RELAY_KEY).exists(), "the doctor looks and changes nothing"


def test_a_relay_that_talks_nonsense_is_found(node: ExactWorld, tmp_path: Path) -> None:
    assert not found_with(node, tmp_path, Manner.GIBBERISH)["relay here.first"].ok


def test_a_relay_key_that_holds_coin_is_found(node: ExactWorld, tmp_path: Path) -> None:
    key = RelayKey(tmp_path / RELAY_KEY)
    assert found_with(node, tmp_path, Manner.HONEST)["relay key here"].ok
    with node.snapshot():
        node.set_balance(key.address, 5)
        finding = found_with(node, tmp_path, Manner.HONEST)["relay key here"]
    assert (finding.ok, "5 wei" in finding.found, "move it away" in finding.fix) == (False, True, True)


def test_a_relay_key_that_others_may_read_is_found(node: ExactWorld, tmp_path: Path) -> None:
    RelayKey(tmp_path / RELAY_KEY)
    (tmp_path / RELAY_KEY).chmod(0o644)
    assert not found_with(node, tmp_path, Manner.HONEST)["relay key here"].ok


def test_relays_where_nobody_takes_bundles_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "http://127.0.0.1:9", "http://127.0.0.1:9", chain_id=10)
    found = {finding.check: finding for finding in check_config(load_config(path))}
    assert not found["relay here.first"].ok
    assert "no builder takes bundles on optimism" in found["relay here.first"].found
    assert "tier private" in found["relay here.first"].fix


def test_two_relays_of_one_name_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "http://127.0.0.1:9", "http://127.0.0.1:9")
    again = '[[chains.here.relays]]\nname = "first"\nurl = "http://127.0.0.1:8"\n'
    path.write_text(path.read_text() + again, encoding="utf-8")
    found = {finding.check: finding for finding in check_config(load_config(path))}
    assert "one name" in found["relay here.first"].found
