"""Paper's node delays and loses what we send, as it is told to, on a real mempool."""

from collections.abc import Callable, Iterator

import pytest

from tidegate.app.devnet import Devnet, devnet_key, start_devnet
from tidegate.app.market import Crowd, Market, PaperBlocks
from tidegate.model import UnsignedTransaction
from tidegate.sim import ExactWorld

START = 3_000 * 10**8
Send = Callable[..., bytes]


@pytest.fixture
def ground() -> Iterator[tuple[ExactWorld, Devnet]]:
    world, devnet = start_devnet(block_time_s=12, order="fees")
    with world:
        world.set_mining("manual")
        yield world, devnet


@pytest.fixture
def send(ground: tuple[ExactWorld, Devnet]) -> Send:
    """Send a transfer of the operator and return its hash."""
    world, devnet = ground
    key = devnet_key("operator", chain_id=devnet.chain_id)

    def one(nonce: int) -> bytes:
        transfer = UnsignedTransaction(
            chain_id=devnet.chain_id,
            nonce=nonce,
            to=devnet.accounts["trader"],
            data=b"",
            value_wei=1,
            gas_limit=21_000,
            max_fee_wei=5 * 10**10,
            max_priority_fee_wei=10**9,
        )
        signed = key.sign_now(transfer, intent_id="x", plan_digest=transfer.content_digest)
        return world.send_raw(signed.raw)

    return one


def blocks_of(ground: tuple[ExactWorld, Devnet], *, competes: bool = True, **knobs: float) -> PaperBlocks:
    world, devnet = ground
    market = Market(devnet, seed=3, start_usd_e8=START)
    crowd = Crowd(devnet, world, competes=competes)
    return PaperBlocks(world, market, crowd, devnet.accounts["operator"], seed=1, **knobs)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_transaction_waits_as_many_blocks_as_the_inclusion_delay_says(ground, send, delay) -> None:
    world, _ = ground
    blocks, sent = blocks_of(ground, delay_blocks=delay), send(0)
    seen_at = world.block().number
    while (receipt := world.receipt(sent)) is None:
        blocks.advance()
        assert world.block().number <= seen_at + delay + 1
    assert receipt.block_number == seen_at + 1 + delay


def test_while_it_waits_the_node_knows_it_and_the_next_nonce_waits_behind_it(ground, send) -> None:
    world, devnet = ground
    blocks, first = blocks_of(ground, delay_blocks=2), send(0)
    blocks.advance()
    second = send(1)
    assert set(world.waiting(devnet.accounts["operator"])) == {first, second}
    for _ in range(4):
        blocks.advance()
    assert world.receipt(first).block_number < world.receipt(second).block_number


def test_a_lost_send_is_known_to_nobody_and_may_be_sent_again(ground, send) -> None:
    world, devnet = ground
    blocks = blocks_of(ground, failure_share=1.0)
    for lost in (1, 2):
        send(0)
        blocks.advance()
        assert world.waiting(devnet.accounts["operator"]) == {}
        assert (blocks.lost, world.nonce(devnet.accounts["operator"])) == (lost, 0)


def test_about_the_failure_share_of_all_sends_is_lost(ground, send) -> None:
    world, _ = ground
    blocks, landed = blocks_of(ground, failure_share=0.5), 0
    for _ in range(40):
        sent = send(landed)
        blocks.advance()
        landed += world.receipt(sent) is not None
    assert blocks.lost + landed == 40
    assert 10 <= blocks.lost <= 30


def test_with_competition_others_come_first_and_without_it_we_do(ground, send) -> None:
    world, devnet = ground
    others = {devnet.accounts[name].lower() for name in ("trader", "arbitrageur", "admin")}
    for competes in (False, True):
        blocks = blocks_of(ground, competes=competes)
        places = []
        for _ in range(12):
            sent = send(world.nonce(devnet.accounts["operator"]))
            blocks.advance()
            found = world._request("eth_getBlockByNumber", "latest", True)["transactions"]
            if any(one["from"].lower() in others for one in found):
                places.append([one["hash"] for one in found].index("0x" + sent.hex()))
        assert places
        assert (set(places) == {0}) is not competes
