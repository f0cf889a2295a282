"""What the guard lens answers, and where it refuses to."""

from pathlib import Path

import pytest

from tidegate.app.devnet import build_devnet
from tidegate.chain import address, decode_output, encode_call
from tidegate.model import UINT256_MAX
from tidegate.sim import FastWorld, WorldReverted, compile_contract
from tidegate.venues.aave_v3 import account_data
from tidegate.venues.chainlink import deploy_price_feed, set_round
from tidegate.venues.executor import deploy_guard_lens

DEPLOYER = address(0xD0_0000_0001)
HOUR = 3_600


class Lens:
    """The lens in a world of its own, with one feed and one source of ticks."""

    def __init__(self):
        self.world = FastWorld()
        self.world.set_balance(DEPLOYER, 10**18)
        self.address = deploy_guard_lens(self.world, deployer=DEPLOYER)
        self.feed = deploy_price_feed(
            self.world, description="ETH / USD", first_answer=3_000, owner=DEPLOYER, deployer=DEPLOYER
        )
        source = Path(__file__).parent / "stubs" / "lens_sources.vy"
        self.source = self.world.deploy(compile_contract(source).initcode, sender=DEPLOYER)

    @property
    def now(self):
        return self.world.block().timestamp

    def ask(self, signature, output, *arguments):
        return decode_output((output,), self.world.call(self.address, encode_call(signature, *arguments)))[0]

    def refuses(self, signature, *arguments):
        with pytest.raises(WorldReverted) as caught:
            self.ask(signature, "uint256", *arguments)
        return str(dict(caught.value.revert.arguments).get("message", caught.value.revert.kind))

    def round(self, answer, started_at, updated_at):
        set_round(self.world, self.feed, answer, started_at_s=started_at, updated_at_s=updated_at)

    def ticks(self, spot, before, now):
        data = encode_call("set_ticks(int24,int56,int56)", spot, before, now)
        self.world.transact(self.source, data, sender=DEPLOYER)


@pytest.fixture(scope="module")
def built():
    return Lens()


@pytest.fixture
def lens(built):
    with built.world.snapshot():
        yield built


def price(lens, max_age_s=HOUR):
    return lens.ask("chainlink(address,uint256)", "uint256", lens.feed.address, max_age_s)


def no_price(lens, max_age_s=HOUR):
    return lens.refuses("chainlink(address,uint256)", lens.feed.address, max_age_s)


def test_a_fresh_answer_is_the_price(lens):
    lens.round(2_500, lens.now, lens.now)
    assert price(lens) == 2_500


def test_an_answer_is_fresh_up_to_its_last_second(lens):
    lens.round(2_500, lens.now, lens.now + 1)
    updated_at = lens.now
    lens.world.mine(timestamp=updated_at + HOUR)
    assert price(lens) == 2_500
    lens.world.mine(timestamp=updated_at + HOUR + 1)
    assert no_price(lens) == "lens: answer too old"


@pytest.mark.parametrize("answer", [0, -1, -(2**255)])
def test_an_answer_that_is_no_price_is_refused(lens, answer):
    lens.round(answer, lens.now, lens.now)
    assert no_price(lens) == "lens: answer not positive"


def test_a_round_that_is_not_complete_is_refused(lens):
    lens.round(2_500, lens.now, 0)
    assert no_price(lens, UINT256_MAX) == "lens: round not complete"


def test_an_answer_from_the_future_is_refused(lens):
    lens.round(2_500, lens.now, lens.now + 1_000)
    assert no_price(lens, UINT256_MAX) == "lens: answer from the future"


def is_up(lens, grace_s=HOUR):
    return lens.ask("sequencer_up(address,uint256)", "bool", lens.feed.address, grace_s)


def test_a_sequencer_is_up_once_its_grace_time_is_over(lens):
    started_at = lens.now + 1
    lens.round(0, started_at, started_at)
    assert not is_up(lens)
    lens.world.mine(timestamp=started_at + HOUR)
    assert not is_up(lens)
    lens.world.mine(timestamp=started_at + HOUR + 1)
    assert is_up(lens)


@pytest.mark.parametrize("answer", [1, -1, 2])
def test_a_sequencer_that_is_not_up_is_down(lens, answer):
    lens.round(answer, 1, lens.now)
    assert not is_up(lens, 0)


@pytest.mark.parametrize("started_at_from_now", [None, 1_000])
def test_a_feed_without_a_start_or_from_the_future_says_down(lens, started_at_from_now):
    started_at = 0 if started_at_from_now is None else lens.now + started_at_from_now
    lens.round(0, started_at, lens.now)
    assert not is_up(lens, 0)


def gap(lens, window_s):
    return lens.ask("tick_gap(address,uint32)", "uint256", lens.source, window_s)


@pytest.mark.parametrize(
    ("before", "now", "window_s", "mean"),
    [
        (-1_000, -2_801, 600, -4),
        (0, 1_799, 1_800, 0),
        (5_000_000, 4_640_000, 1_800, -200),
        (0, -1, 1_800, -1),
        (0, 0, 60, 0),
        (0, 1_800, 1_800, 1),
    ],
)
def test_the_mean_tick_rounds_toward_minus_infinity(lens, before, now, window_s, mean):
    for spot in (mean, mean + 7, mean - 7):
        lens.ticks(spot, before, now)
        assert gap(lens, window_s) == abs(spot - mean)


def test_no_window_is_no_mean(lens):
    assert lens.refuses("tick_gap(address,uint32)", lens.source, 0) == "lens: no window"


def test_the_widest_gap(lens):
    lens.ticks(887_272, 0, -887_272 * 60)
    assert gap(lens, 60) == 2 * 887_272


def test_the_health_factor_is_the_pools_sixth_word(lens):
    for factor in (0, 11 * 10**17, UINT256_MAX):
        lens.world.transact(lens.source, encode_call("set_factor(uint256)", factor), sender=DEPLOYER)
        found = lens.ask("health_factor(address,address)", "uint256", lens.source, DEPLOYER)
        assert found == factor


def test_on_canonical_bytecode():
    world = FastWorld()
    devnet = build_devnet(world)

    def ask(signature, *arguments):
        return int.from_bytes(world.call(devnet.guard_lens, encode_call(signature, *arguments)))

    assert ask("chainlink(address,uint256)", devnet.feeds["ETH/USD"].address, HOUR) == 3_000 * 10**8
    borrower = devnet.accounts["borrower1"]
    factor = ask("health_factor(address,address)", devnet.aave_v3.pool, borrower)
    assert factor == account_data(world, devnet.aave_v3, borrower).health_factor_e18
    pool = devnet.pool("WETH", "USDC", 500).address
    world.mine(2)
    assert ask("tick_gap(address,uint32)", pool, 1) == 0
    with pytest.raises(WorldReverted) as caught:
        ask("tick_gap(address,uint32)", pool, 86_400)
    assert dict(caught.value.revert.arguments)["message"] == "OLD"
