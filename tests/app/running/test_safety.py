"""What a configuration allows a run, and what the breakers of its chain are told."""

import asyncio

import msgspec
import pytest

from tidegate.app.config import load_config
from tidegate.app.running import Splits, limit_table
from tidegate.app.running.books import Books, ChainBalances
from tidegate.chain import address, devnet_network
from tidegate.chain.rpc import PoolEvent
from tidegate.chain.rpc.health import Cause, EndpointState
from tidegate.ledger import ConfirmedBlock, Holding
from tidegate.model import ZERO_ADDRESS, Block, Denied, ManualClock, Operation, Reason, Stage
from tidegate.risk import Place
from tidegate.risk.limits import LIMITS

NETWORK = devnet_network(31_337)
DESK = address(0xDE5C)


def allowed(stage: Stage, name: str, scope: str, **settings: str) -> int:
    config = load_config(None, {key.replace("__", "."): value for key, value in settings.items()}).config
    table = limit_table(config, stage, NETWORK, "devnet")
    return table.allows(next(limit for limit in LIMITS if limit.name == name), scope)


@pytest.mark.parametrize("stage", [Stage.CANARY, Stage.PRODUCTION])
@pytest.mark.parametrize("name", ["notional_per_transaction_usd_e6", "notional_per_day_usd_e6"])
def test_live_nothing_moves_until_somebody_says_how_much(stage, name):
    assert allowed(stage, name, "desk:atomic") == 0
    key = f"limits__{name.removesuffix('_e6')}"
    assert allowed(stage, name, "desk:atomic", **{key: "500"}) == 500_000_000


@pytest.mark.parametrize("stage", [Stage.PAPER, Stage.FORK, Stage.SHADOW])
def test_where_no_key_of_value_signs_paper_s_defaults_hold(stage):
    assert allowed(stage, "notional_per_transaction_usd_e6", "desk:atomic") > 0


def test_gas_a_day_is_the_chain_s_own_figure_in_gwei():
    scope, settings = "chain:31337", {"chains__devnet__chain_id": "31337"}
    assert allowed(Stage.CANARY, "gas_per_day_gwei", scope, **settings) == 0
    settings["chains__devnet__gas_per_day_wei"] = str(3 * 10**18)
    assert allowed(Stage.CANARY, "gas_per_day_gwei", scope, **settings) == 3 * 10**9


def test_losses_are_shares_of_the_capital_that_is_allotted():
    settings = {"desk__atomic__capital_usd": "2000", "limits__loss_per_day_bps": "100"}
    assert allowed(Stage.CANARY, "loss_per_day_usd_e6", "desk:atomic", **settings) == 20_000_000


def test_endpoints_that_disagree_are_counted_for_a_minute():
    clock = ManualClock(1_000_000)
    splits = Splits(clock)
    event = PoolEvent(
        31337, "one", EndpointState.HEALTHY, EndpointState.HEALTHY, Cause.BLOCK_HASH_DIFFERS, "block 7"
    )
    splits(event)
    splits(event)
    splits(msgspec.structs.replace(event, cause=next(one for one in Cause if one.value.startswith("p"))))
    assert splits.per_minute() == 2
    clock.set_ms(1_060_000)
    assert splits.per_minute() == 0


class Refuses:
    """A reconciler that has not compared anything yet."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def refusal(self, head: int) -> Denied:
        self.asked.append(head)
        return Denied(Reason.NOT_RECONCILED, "not known to be equal")


def test_until_books_and_chain_are_equal_nothing_opens_but_exits_go_on():
    reconciler = Refuses()
    books = Books(reconciler, None, (), chain_id=31_337)  # type: ignore[arg-type]
    books.head = 7
    here, elsewhere = Place("atomic", 31_337), Place("atomic", 1)
    refused = books.blocking(here, Operation.OPEN)
    assert refused is not None
    assert refused.as_denied().reason is Reason.NOT_RECONCILED
    assert books.blocking(here, Operation.CLOSE) is None
    assert books.blocking(elsewhere, Operation.OPEN) is None
    assert reconciler.asked == [7]


class FakeReads:
    """Reads at block hashes, and remembers which."""

    def __init__(self) -> None:
        self.at: list[object] = []

    async def block(self, reference: object = "latest") -> Block:
        number = 20 if reference == "latest" else reference
        return Block(number, 1_000, 1, 30_000_000, hash=bytes([number]) * 32)

    async def balance(self, account: object, block: object) -> int:
        self.at.append(block)
        return 5

    async def call(self, to: object, data: bytes, *, block: object) -> bytes:
        self.at.append(block)
        return (9).to_bytes(32, "big")


def test_balances_are_read_at_one_block_as_deep_as_the_confirmations_by_its_hash():
    reads = FakeReads()
    balances = ChainBalances(reads, msgspec.structs.replace(NETWORK, confirmations=3))  # type: ignore[arg-type]
    block = asyncio.run(balances.confirmed_block())
    assert block == ConfirmedBlock(18, "0x" + "12" * 32)
    holdings = [Holding(DESK, ZERO_ADDRESS, "ETH", 18), Holding(DESK, address(0xC0), "USDC", 6)]
    assert asyncio.run(balances.balances(holdings, block)) == [5, 9]
    assert set(reads.at) == {bytes([18]) * 32}
