"""A flash arbitrage on a devnet, as calldata: what other benchmarks run."""

from __future__ import annotations

from tidegate.app.devnet import address_book, build_devnet, change_executor
from tidegate.chain import encode_call
from tidegate.desks.atomic import (
    Assignment,
    complete_blinds,
    draft_plan,
    finish_plan,
    parse_strategy,
    search_size,
    strategy_policy,
    template_text,
)
from tidegate.model import Address, Intent, sha256_hex
from tidegate.sim import ExactWorld
from tidegate.venues.executor import decode_execute, encode_simulate

_SOLD = 200_000 * 10**6
_FAR_S = 2**40 - 1
_SWAP = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"


def flash_arbitrage(world: ExactWorld) -> tuple[Address, Address, bytes, bytes]:
    """Build a devnet with a gap between v2 and v3, and the shipped strategy's plan for it.

    Returns
    -------
    executor, operator, execute, simulate
        Where the calldata goes, from whom, and the same program as ``execute`` and as ``simulate``.
    """
    devnet = build_devnet(world)
    book = address_book(devnet, world)
    tables = {book.chain: {name: token.decimals for name, token in book.tokens.items()}}
    strategy = parse_strategy(template_text("flash-arb").encode(), "flash-arb.yaml", tables)
    operator, trader = devnet.accounts["operator"], devnet.accounts["trader"]
    searched = strategy.searched_blind
    assert searched is not None
    job = Assignment(strategy, book, operator, complete_blinds(strategy, {}))
    change_executor(world, devnet, strategy_policy(job, world))
    path = [devnet.token("USDC"), devnet.token("WETH")]
    world.transact(
        devnet.uniswap_v2.router, encode_call(_SWAP, _SOLD, 0, path, trader, _FAR_S), sender=trader
    )
    found = search_size(job, world)
    assert found.best is not None
    job = job.with_blind(searched.name, found.best.size)
    deadline_s = world.block().timestamp + strategy.deadline_s
    intent = Intent(sha256_hex(b"bench"), "atomic", book.chain_id, strategy.name, "bench", deadline_s, 0, {})
    draft = draft_plan(intent, job, world)
    with world.snapshot():
        gas = world.transact(draft.plan.to, draft.plan.data, sender=operator).gas_used
    plan = finish_plan(draft, gas)
    return plan.to, operator, plan.data, encode_simulate(decode_execute(plan.data))
