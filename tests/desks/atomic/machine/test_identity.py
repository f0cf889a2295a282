"""ATM005: nothing is planned on code that the address book does not know."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD

from tidegate.chain import keccak256
from tidegate.desks.atomic import Assignment
from tidegate.desks.atomic.machine.quoting import run_quote
from tidegate.model import Tampered

OTHER = bytes.fromhex("60006000fd")
SWAPS = """
  - id: first
    use: uniswap_v3.exact_input_single
    in: {token_in: WETH, token_out: USDC, fee: 500, amount: 0.1 WETH}
    slippage: 30 bps
  - id: second
    use: uniswap_v2.swap_exact_tokens_for_tokens
    in: {token_in: WETH, token_out: USDC, amount: 0.1 WETH}
    slippage: 30 bps
"""


def swaps(ground: Ground) -> Assignment:
    job = ground.job(HEAD + SWAPS)
    ground.allow(job)
    ground.give("WETH", 10**18)
    return job


def test_a_book_that_tells_the_truth_is_no_obstacle(ground: Ground) -> None:
    job = swaps(ground)
    assert job.book.executor("main1").code_hash, "the devnet's book has hashes, so that they are compared"
    assert run_quote(job, {}, ground.world, {}).values


@pytest.mark.parametrize("name", ["executor.main1", "uniswap_v3.router02", "uniswap_v2.router"])
def test_another_code_than_the_books_is_tampered_with_both_hashes(ground: Ground, name: str) -> None:
    job = swaps(ground)
    entry = job.book.entry(name)
    ground.world.set_code(entry.address, OTHER)
    with pytest.raises(Tampered, match=name) as caught:
        run_quote(job, {}, ground.world, {})
    assert (caught.value.code, caught.value.exit_code) == ("ATM005", 13)
    assert caught.value.found == "0x" + keccak256(OTHER).hex()
    assert caught.value.allowed == f"0x{entry.code_hash}"


def test_a_contract_that_no_step_calls_may_have_any_code(ground: Ground) -> None:
    job = swaps(ground)
    ground.world.set_code(job.book.entry("uniswap_v3.quoter").address, OTHER)
    assert run_quote(job, {}, ground.world, {}).values
