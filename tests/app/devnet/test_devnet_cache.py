"""The same devnet in both worlds, and from the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tidegate.app.devnet import Devnet, DevnetSpec, build_devnet, cached_devnet, start_devnet
from tidegate.model import UINT256_MAX
from tidegate.sim import Artifacts, ExactWorld, FastWorld, World, cache_dir, compile_contract
from tidegate.venues.aave_v3 import account_data, liquidate
from tidegate.venues.calls import create, read, send
from tidegate.venues.chainlink import set_answer
from tidegate.venues.tokens import balance_of, mint
from tidegate.venues.uniswap_v2 import reserves
from tidegate.venues.uniswap_v2 import swap_exact_in as swap_v2
from tidegate.venues.uniswap_v3 import quote_exact_in, slot0
from tidegate.venues.uniswap_v3 import swap_exact_in as swap_v3


@pytest.fixture(scope="module")
def exact() -> Iterator[tuple[ExactWorld, Devnet]]:
    world, devnet = start_devnet(block_time_s=1)
    with world:
        yield world, devnet


@pytest.fixture(scope="module")
def fast() -> tuple[FastWorld, Devnet]:
    world = FastWorld()
    return world, build_devnet(world)


def test_both_worlds_hold_the_same_devnet(
    exact: tuple[ExactWorld, Devnet], fast: tuple[FastWorld, Devnet]
) -> None:
    assert exact[1] == fast[1]
    assert exact[0].block().number == fast[0].block().number
    assert exact[0].block().timestamp == fast[0].block().timestamp
    assert exact[0].state_digest() == fast[0].state_digest()


def journey(world: World, devnet: Devnet) -> dict[str, object]:
    """Swap on both protocols, let the price fall, liquidate; return everything that came out."""
    pair, trader = (devnet.weth, devnet.token("USDC")), devnet.accounts["trader"]
    quoted = quote_exact_in(world, devnet.uniswap_v3, *pair, 10**18, fee=500)
    seen: dict[str, object] = {
        "reserves": [reserves(world, one) for one in devnet.uniswap_v2_pairs],
        "prices": [slot0(world, pool) for pool in devnet.uniswap_v3_pools],
        "quoted": quoted,
        "v3": swap_v3(world, devnet.uniswap_v3, *pair, 10**18, fee=500, trader=trader, minimum_out=quoted),
        "v2": swap_v2(world, devnet.uniswap_v2, pair, 10**18, trader=trader),
    }
    set_answer(world, devnet.feeds["ETH/USD"], 2_500 * 10**8)
    liquidator, user = devnet.accounts["liquidator"], devnet.accounts["borrower1"]
    before = balance_of(world, devnet.weth, liquidator)
    seen["sick"] = account_data(world, devnet.aave_v3, user)
    receipt = liquidate(
        world,
        devnet.aave_v3,
        collateral=devnet.weth,
        debt=devnet.token("USDC"),
        user=user,
        amount=UINT256_MAX,
        liquidator=liquidator,
    )
    seen["seized"] = balance_of(world, devnet.weth, liquidator) - before
    seen["cured"] = account_data(world, devnet.aave_v3, user)
    seen["logs"] = receipt.logs
    return seen


def test_a_journey_ends_the_same_in_both_worlds(
    exact: tuple[ExactWorld, Devnet], fast: tuple[FastWorld, Devnet]
) -> None:
    with exact[0].snapshot(), fast[0].snapshot():
        there, here = journey(*exact), journey(*fast)
        assert exact[0].state_digest() == fast[0].state_digest()
    assert there == here
    assert there["v3"] == there["quoted"]
    assert there["seized"]


def test_a_flash_loan_works_on_the_node(exact: tuple[ExactWorld, Devnet]) -> None:
    world, devnet = exact
    source = Path(__file__).parents[2] / "venues" / "aave_v3" / "flash_receiver.vy"
    trader, usdc = devnet.accounts["trader"], devnet.token("USDC")
    with world.snapshot():
        receiver = create(world, compile_contract(source), devnet.aave_v3.pool, sender=trader)
        mint(world, devnet.tokens["USDC"], receiver, 500 * 10**6)
        borrow = "borrow(address,uint256,uint256)"
        send(world, receiver, borrow, usdc, 1_000_000 * 10**6, 0, sender=trader)
        assert read(world, receiver, "held_during()(uint256)") == 1_000_500 * 10**6


@pytest.fixture(scope="module")
def shared() -> Path:
    """Return the real cache, builds and artifacts in it: these tests are about devnets."""
    compile_contract("test_token"), Artifacts.load()
    return cache_dir()


@pytest.fixture
def cache(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache that holds no devnet yet."""
    for part in ("artifacts", "builds"):
        (tmp_path / part).symlink_to(shared / part)
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    return tmp_path


SMALL = DevnetSpec(pairs=(), pools=(), reserves=(), borrowers=(), morpho_idle=(), balancer_pools=())


def test_the_second_time_it_is_only_loaded(cache: Path) -> None:
    first, second = cached_devnet(SMALL), cached_devnet(SMALL)
    assert (first.was_built, second.was_built) == (True, False)
    assert first.devnet == second.devnet
    assert first.book == second.book
    assert first.book.entry("weth.weth9").code_hash
    assert first.world_file == second.world_file
    assert cache in first.world_file.parents
    world, devnet = start_devnet(SMALL)
    with world:
        assert world.code(devnet.weth)
        assert world.block().number == first.height


@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_damaged_entry_is_built_again(cache: Path, damage: str) -> None:
    for part in ("world_file", "state_file"):
        path: Path = getattr(cached_devnet(SMALL), part)
        content = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(content[:-1] if damage == "cut" else bytes([content[0] ^ 1]) + content[1:])
        assert cached_devnet(SMALL).was_built
        assert not cached_devnet(SMALL).was_built


def test_building_twice_gives_the_same_chain() -> None:
    heads = []
    for _ in range(2):
        with ExactWorld() as world:
            build_devnet(world, SMALL)
            heads.append(world.block())
    assert heads[0] == heads[1]
    assert heads[0].hash


def test_another_spec_is_another_entry(cache: Path) -> None:
    first = cached_devnet(SMALL)
    other = cached_devnet(replace(SMALL, chain_id=5))
    assert other.was_built
    assert first.world_file.parent != other.world_file.parent


def test_old_entries_are_cleared_away(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.app.devnet.cache._ENTRIES_KEPT", 2)
    small = [replace(SMALL, chain_id=chain_id) for chain_id in range(1, 5)]
    for spec in small[:2]:
        cached_devnet(spec)
    assert not cached_devnet(small[0]).was_built
    cached_devnet(small[2])
    assert not cached_devnet(small[0]).was_built  # used after the second one, which had to go
    cached_devnet(small[3])
    assert len(list((cache / "devnet").iterdir())) == 2
    assert not cached_devnet(small[3]).was_built
    assert cached_devnet(small[1]).was_built
