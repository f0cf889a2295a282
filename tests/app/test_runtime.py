from __future__ import annotations

import pytest

from tidegate.app.devnet.tables import token_tables
from tidegate.app.runtime import Ground, Job, devnet_ground, give_inventory
from tidegate.chain import encode_call
from tidegate.desks.atomic import parse_strategy, template_text
from tidegate.sim import WorldReverted
from tidegate.venues.executor import Approve, Call, Line, Load, LoadSource, Program, assemble, encode_execute

ETHER = 10**18


def selling(ground: Ground, amount: int) -> bytes:
    """Return a program that an operator could write: sell the executor's own WETH, whatever it gets."""
    devnet, block = ground.devnet, ground.world.block()
    weth, usdc, router = devnet.weth, devnet.token("USDC"), devnet.uniswap_v2.router
    swap = encode_call(
        "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
        *(amount, 0, [weth, usdc], devnet.executor, 2**40),
    )
    lines = sorted((Line(weth, -(10 * ETHER)), Line(usdc, 0)), key=lambda line: int(line.token, 16))
    program = Program(
        chain_id=devnet.chain_id,
        deadline=block.timestamp + 600,
        max_base_fee=2**48 - 1,
        registers=1,
        lines=tuple(lines),
        ops=(
            Load(tag=0, destination=0, source=LoadSource.LITERAL, operand=amount),
            Approve(tag=1, token=weth, spender=router, register=0),
            Call(tag=2, target=router, data=swap),
        ),
    )
    return encode_execute(assemble(program))


def ground_of(*templates: str) -> list[Job]:
    tables = token_tables()
    return [Job(parse_strategy(template_text(name).encode(), f"{name}.yaml", tables)) for name in templates]


def test_an_operator_key_alone_can_not_sell_the_inventory() -> None:
    with devnet_ground(ground_of("flash-arb")) as ground:
        give_inventory(ground)
        operator = ground.devnet.accounts["operator"]
        with pytest.raises(WorldReverted) as caught:
            ground.world.transact(ground.devnet.executor, selling(ground, ETHER), sender=operator)
        assert caught.value.data[:4].hex() == "9f6c8606", "LossTooHigh"


def test_a_strategy_that_spends_may_spend_what_its_bound_says_and_no_more() -> None:
    with devnet_ground(ground_of("flash-arb", "leverage-open")) as ground:
        give_inventory(ground)
        give_inventory(ground)
        world, executor = ground.world, ground.devnet.executor
        operator = ground.devnet.accounts["operator"]
        assert world.transact(executor, selling(ground, ETHER), sender=operator).status == 1
        with pytest.raises(WorldReverted) as caught:
            world.transact(executor, selling(ground, 103 * ETHER // 100), sender=operator)
        assert caught.value.data[:4].hex() == "9f6c8606", "one run may lose 1.02 WETH"
