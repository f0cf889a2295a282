from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.app import devnet as room
from tidegate.app.devnet import (
    BorrowerSpec,
    Devnet,
    DevnetSpec,
    PairSpec,
    PoolSpec,
    RangeSpec,
    act_as_owner,
    address_book,
    build_devnet,
    change_executor,
    devnet_address,
    devnet_key,
    to_toml,
)
from tidegate.chain import encode_call, keccak256
from tidegate.model import ConfigError
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues import load_book
from tidegate.venues.calls import read
from tidegate.venues.executor import Change, apply_changes
from tidegate.venues.tokens import balance_of, mint
from tidegate.venues.uniswap_v3 import swap_exact_in


@pytest.fixture(scope="module")
def built() -> tuple[FastWorld, Devnet]:
    world = FastWorld()
    return world, build_devnet(world)


def test_the_front_door_exports_what_it_says() -> None:
    assert set(room.__all__) == {
        *("ACCOUNTS", "DEFAULT_CHAINS", "BorrowerSpec", "CachedDevnet", "ChainPlan", "Devnet", "DevnetSpec"),
        *("NodeRecord", "NodeStatus", "PairSpec", "PoolSpec", "RangeSpec", "ReserveSpec", "TokenSpec"),
        *("act_as_owner", "address_book", "build_devnet", "cached_devnet", "change_executor"),
        *("devnet_address", "devnet_handle", "devnet_key", "export_chains", "node_records", "node_states"),
        *("node_status", "parse_chains"),
        *(
            "read_book",
            "read_devnet",
            "start_devnet",
            "start_nodes",
            "stop_nodes",
            "to_toml",
            "with_abis_as_text",
        ),
    }
    assert all(hasattr(room, name) for name in room.__all__)


def test_the_same_spec_gives_the_same_devnet(built: tuple[FastWorld, Devnet]) -> None:
    world = FastWorld()
    again = build_devnet(world)
    assert again == built[1]
    assert world.block() == built[0].block()
    for pool in again.uniswap_v3_pools:
        for slot in range(9):
            assert world.storage(pool.address, slot) == built[0].storage(pool.address, slot)


def test_another_chain_has_the_same_addresses(built: tuple[FastWorld, Devnet]) -> None:
    spec = DevnetSpec(chain="base-dev", chain_id=31_338)
    other = build_devnet(FastWorld(chain_id=31_338), spec)
    assert other.uniswap_v3 == built[1].uniswap_v3
    assert other.aave_v3 == built[1].aave_v3
    assert (other.chain, other.chain_id) == ("base-dev", 31_338)


def test_a_devnet_can_be_written_down_and_read_back(built: tuple[FastWorld, Devnet]) -> None:
    written = msgspec.json.encode(built[1])
    assert msgspec.json.decode(written, type=Devnet) == built[1]


def test_a_spec_is_known_by_its_digest() -> None:
    assert DevnetSpec().digest == DevnetSpec().digest
    assert DevnetSpec(flash_premium_bps=9).digest != DevnetSpec().digest


def test_a_world_is_built_in_once(built: tuple[FastWorld, Devnet]) -> None:
    with pytest.raises(ConfigError, match="holds a devnet already"):
        build_devnet(built[0])


def test_a_world_must_be_the_specs_chain() -> None:
    with pytest.raises(ConfigError, match="another chain"):
        build_devnet(FastWorld(chain_id=5), DevnetSpec(chain_id=6))


def test_a_borrower_beyond_the_limit_is_refused_by_the_market() -> None:
    spec = DevnetSpec(borrowers=(BorrowerSpec("borrower1", "WETH", 30_000, "USDC", 10_100),))
    with pytest.raises(WorldReverted, match="36"):
        build_devnet(FastWorld(), spec)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"pairs": (PairSpec(("WETH", "XYZ"), 1_000),)}, "no such token; found: XYZ"),
        ({"pools": (PoolSpec(("WETH", "USDC"), 499, ()),)}, "no such fee .* found: 499"),
        ({"borrowers": (BorrowerSpec("borrower1", "XYZ", 1, "USDC", 20_000),)}, "no such reserve"),
        ({"reserves": ()}, "no such reserve"),
    ],
)
def test_a_spec_that_names_what_it_does_not_have_is_refused(parts: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        DevnetSpec(**parts)


def test_a_spec_may_be_small() -> None:
    spec = DevnetSpec(
        pairs=(), pools=(PoolSpec(("WETH", "USDC"), 500, (RangeSpec(1_000),)),), reserves=(), borrowers=()
    )
    devnet = build_devnet(FastWorld(), spec)
    assert (len(devnet.uniswap_v2_pairs), len(devnet.uniswap_v3_pools), devnet.aave_v3.reserves) == (0, 1, ())
    with pytest.raises(ConfigError, match="no such Uniswap v2 pair"):
        devnet.pair("WETH", "USDC")
    with pytest.raises(ConfigError, match="no such Uniswap v3 pool"):
        devnet.pool("WETH", "USDC", 3_000)
    with pytest.raises(ConfigError, match="no such token"):
        devnet.token("XYZ")


def test_the_deployer_only_creates(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    deployer = devnet.accounts["deployer"]
    assert world.nonce(deployer) > 40
    assert balance_of(world, devnet.token("USDC"), deployer) == 0


def test_accounts_belong_to_throw_away_keys() -> None:
    key = devnet_key("operator", chain_id=31_337)
    assert key.is_throw_away
    assert key.address == devnet_address("operator") != devnet_address("guardian")


def test_the_book_names_everything_with_its_code(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    book = address_book(devnet, world)
    router = book.entry("uniswap_v3.router")
    assert router.address == devnet.uniswap_v3.router
    assert router.code_hash == keccak256(world.code(devnet.uniswap_v3.router)).hex()
    assert book.token("USDC").decimals == 6
    assert book.entry(book.token("USDC").feed or "").address == devnet.feeds["USDC/USD"].address
    assert book.entry("feed.ETH/USD").heartbeat_s == 3_600
    assert all(entry.code_hash for name, entry in book.contracts.items() if name != "treasury")
    with pytest.raises(ConfigError, match=r"did you mean uniswap_v3\.router"):
        book.entry("uniswap_v3.ruter")


def test_the_book_survives_being_written(built: tuple[FastWorld, Devnet]) -> None:
    book = address_book(built[1], built[0])
    assert load_book(to_toml(book.as_mapping())) == book


def test_the_owner_acts_through_its_safe(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    usdc, to = devnet.token("USDC"), devnet.accounts["treasury"]
    with world.snapshot():
        pay = encode_call("transfer(address,uint256)", to, 7)
        with pytest.raises(WorldReverted, match="GS013"):
            act_as_owner(world, devnet, usdc, pay)
        mint(world, devnet.tokens["USDC"], devnet.owner_safe.address, 7)
        act_as_owner(world, devnet, usdc, pay)
        assert balance_of(world, usdc, to) == 7


_plain = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.text() | st.lists(st.text() | st.integers(0, 9)),
    lambda inner: st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), _plain, max_size=5))
def test_toml_reads_back_what_was_written(data: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(data)) == data


@pytest.mark.parametrize("value", [None, 1.5, b"x", [{"a": 1}]])
def test_what_has_no_place_in_toml_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no TOML form"):
        to_toml({"key": value})


def test_the_executor_belongs_to_the_safe_and_is_run_by_the_operator(
    built: tuple[FastWorld, Devnet],
) -> None:
    world, devnet = built
    assert read(world, devnet.executor, "owner()(address)") == devnet.owner_safe.address
    assert read(world, devnet.executor, "treasury()(address)") == devnet.accounts["treasury"]
    assert read(world, devnet.executor, "roles(address)(uint256)", devnet.accounts["operator"]) == 1
    assert read(world, devnet.executor, "roles(address)(uint256)", devnet.accounts["guardian"]) == 2
    assert read(world, devnet.executor, "roles(address)(uint256)", devnet.accounts["deployer"]) == 0


def test_its_permissions_are_changed_by_the_safe_alone(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    change = Change.asset(devnet.token("USDC"))
    assets = ("assets(address)(uint256)", devnet.token("USDC"))
    with world.snapshot():
        with pytest.raises(WorldReverted, match="atomic: role"):
            apply_changes(world, devnet.executor, [change], owner=devnet.accounts["admin"])
        change_executor(world, devnet, [change])
        assert read(world, devnet.executor, *assets) == 1
    assert read(world, devnet.executor, *assets) == 0


def test_the_lens_reads_the_feeds(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    view = ("chainlink(address,uint256)(uint256)", devnet.feeds["ETH/USD"].address)
    with world.snapshot():
        assert read(world, devnet.guard_lens, *view, 3_600) == 3_000 * 10**8
        world.mine(timestamp=world.block().timestamp + 3_601)
        with pytest.raises(WorldReverted):
            read(world, devnet.guard_lens, *view, 3_600)


def test_the_pools_have_a_past_and_a_memory(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    pool, trader = devnet.pool("WETH", "USDC", 500), devnet.accounts["trader"]
    gap = ("tick_gap(address,uint32)(uint256)", pool.address)
    pair = (devnet.weth, devnet.token("USDC"))
    with world.snapshot():
        assert read(world, devnet.guard_lens, *gap, 1_800) == 0
        swap_exact_in(world, devnet.uniswap_v3, *pair, 400 * 10**18, fee=500, trader=trader)
        world.mine(10)
        swap_exact_in(world, devnet.uniswap_v3, *pair, 10**18, fee=500, trader=trader)
        assert read(world, devnet.guard_lens, *gap, 1_800) > 10  # the mean follows the price slowly
        with pytest.raises(WorldReverted):
            read(world, devnet.guard_lens, *gap, 10_000)  # nobody remembers that far back


def test_a_second_aave_market_lends_at_its_own_terms(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    first, second = devnet.aave_v3, devnet.aave_v3_prime
    assert first.pool != second.pool
    assert [reserve.symbol for reserve in second.reserves] == ["WETH", "USDC", "DAI"]
    rates = f"getReserveConfigurationData(address)({'uint256,' * 5}{'bool,' * 4}bool)"
    ltv = [read(world, market.data_provider, rates, devnet.weth)[1] for market in (first, second)]
    assert ltv == [8_050, 8_200]
    supplied = [balance_of(world, devnet.weth, market.reserve("WETH").a_token) for market in (first, second)]
    assert supplied[1] == 1_000 * 10**18
    assert supplied[0] > supplied[1]


def test_dollars_are_an_efficiency_category_of_the_first_market(built: tuple[FastWorld, Devnet]) -> None:
    world, devnet = built
    category = "getReserveEModeCategory(address)(uint256)"
    of = {
        symbol: read(world, devnet.aave_v3.data_provider, category, devnet.token(symbol))
        for symbol in devnet.tokens
    }
    assert of == {"WETH": 0, "USDC": 1, "WBTC": 0, "DAI": 1}
