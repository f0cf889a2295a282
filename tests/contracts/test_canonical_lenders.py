"""Loans from the canonical bytecode of Aave v3 and Uniswap v3, and from the devnet's ERC-3156 lender."""

import pytest
from tests.hostile.atomic.attacks import attack

from tidegate.app.devnet import build_devnet, change_executor
from tidegate.chain import encode_call, selector
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.executor import (
    Call,
    Capture,
    Change,
    Flash,
    FlashKind,
    Line,
    Load,
    Permission,
    Program,
    Take,
    assemble,
    decode_error,
    encode_execute,
)
from tidegate.venues.tokens import balance_of, mint

INVENTORY = 10**24
BALANCE_OF = "balanceOf(address)"


@pytest.fixture(scope="module")
def built():
    world = FastWorld()
    devnet = build_devnet(world)
    kinds = {lender: kind for kind, lender in lenders(devnet).items()}
    tokens = [devnet.token(symbol) for symbol in ("USDC", "DAI")]
    change_executor(
        world,
        devnet,
        [
            *(Change.lender(lender, kind) for lender, kind in kinds.items()),
            *(Change.policy(token, selector(BALANCE_OF), Permission(read=True)) for token in tokens),
        ],
    )
    for symbol in ("USDC", "DAI"):
        mint(world, devnet.tokens[symbol], devnet.executor, INVENTORY)
    return world, devnet


@pytest.fixture
def world(built):
    with built[0].snapshot():
        yield built[0]


@pytest.fixture
def devnet(built):
    return built[1]


def lenders(devnet):
    return {
        FlashKind.AAVE_V3: devnet.aave_v3.pool,
        FlashKind.UNISWAP_V3: devnet.pool("WETH", "USDC", 500).address,
        FlashKind.ERC3156: devnet.erc3156_lender,
    }


def borrow(world, devnet, kind, symbol, amount, *, max_fee, ops=()):
    """Borrow, look at the balance inside the scope, repay. Return the fee that was paid."""
    token = devnet.token(symbol)
    look = Call(3, token, encode_call(BALANCE_OF, devnet.executor), is_read=True, capture=Capture(1))
    side = int(devnet.pool("WETH", "USDC", 500).token1 == token) if kind is FlashKind.UNISWAP_V3 else 0
    scope = Flash(
        2, kind, lenders(devnet)[kind], token, 0, (look, *ops), repay_register=2, side=side, max_fee=max_fee
    )
    program = Program(
        chain_id=world.chain_id,
        deadline=2**40 - 1,
        max_base_fee=2**48 - 1,
        registers=3,
        lines=(Line(token, -max_fee),),
        ops=(Load.literal(1, 0, amount), scope),
    )
    before = balance_of(world, token, devnet.executor)
    world.transact(devnet.executor, encode_execute(assemble(program)), sender=devnet.accounts["operator"])
    allowance = world.call(
        token, encode_call("allowance(address,address)", devnet.executor, lenders(devnet)[kind])
    )
    assert int.from_bytes(allowance) == 0
    return before - balance_of(world, token, devnet.executor)


def test_uniswap_v3_rounds_its_fee_up(world, devnet):
    """specs/atomic.md 4.5: ⌈amount·fee/10⁶⌉ at 0.05 %."""
    for amount, fee in ((12_345_678_901, 6_172_840), (10**9, 500_000), (1, 1)):
        assert borrow(world, devnet, FlashKind.UNISWAP_V3, "USDC", amount, max_fee=fee) == fee


def test_aave_v3_takes_its_premium(world, devnet):
    """The market's 3.0.x rounds half up: never more than the ⌈amount·premium/10⁴⌉ that a plan allows."""
    for amount, fee in ((12_345_678_901, 6_172_839), (10**9, 500_000), (1_000, 1), (10**10, 5 * 10**6)):
        ceiling = -(-amount * 5 // 10_000)
        assert borrow(world, devnet, FlashKind.AAVE_V3, "USDC", amount, max_fee=ceiling) == fee <= ceiling


def test_erc3156_lends_as_maker_does(world, devnet):
    assert borrow(world, devnet, FlashKind.ERC3156, "DAI", 10**18, max_fee=0) == 0


@attack("P16", "the protocol asks a higher fee than was planned")
@pytest.mark.parametrize("kind", [FlashKind.AAVE_V3, FlashKind.UNISWAP_V3])
def test_a_fee_over_the_plans_is_refused(world, devnet, kind):
    with pytest.raises(WorldReverted) as caught:
        borrow(world, devnet, kind, "USDC", 10**9, max_fee=499_999)
    error = decode_error(caught.value.data)
    assert dict(error.revert.arguments) == {"fee": 500_000, "max": 499_999}


@attack("P16", "fail a step inside each protocol, to lose its name")
def test_a_step_that_fails_inside_keeps_its_tag_through_each_lender(world, devnet):
    for kind, symbol in (
        (FlashKind.AAVE_V3, "USDC"),
        (FlashKind.UNISWAP_V3, "USDC"),
        (FlashKind.ERC3156, "DAI"),
    ):
        with pytest.raises(WorldReverted) as caught:
            borrow(world, devnet, kind, symbol, 10**6, max_fee=10**4, ops=(Take(9, 1, 7),))
        assert decode_error(caught.value.data).tag == 9


def test_loans_nest_across_the_three(world, devnet):
    usdc, dai = devnet.token("USDC"), devnet.token("DAI")
    pool = devnet.pool("WETH", "USDC", 500)
    look = Call(9, usdc, encode_call(BALANCE_OF, devnet.executor), is_read=True, capture=Capture(3))
    found = lenders(devnet)
    kinds = FlashKind
    third = Flash(5, kinds.ERC3156, found[kinds.ERC3156], dai, 0, (look,))
    second = Flash(
        4, kinds.UNISWAP_V3, pool.address, usdc, 0, (third,), side=int(pool.token1 == usdc), max_fee=500
    )
    first = Flash(3, kinds.AAVE_V3, found[kinds.AAVE_V3], usdc, 0, (second,), max_fee=500)
    lines = sorted((Line(usdc, -1_000), Line(dai, 0)), key=lambda line: int(line.token, 16))
    program = Program(
        world.chain_id, 2**40 - 1, 2**48 - 1, 4, tuple(lines), (Load.literal(1, 0, 10**6), first)
    )
    before = balance_of(world, usdc, devnet.executor)
    world.transact(devnet.executor, encode_execute(assemble(program)), sender=devnet.accounts["operator"])
    assert before - balance_of(world, usdc, devnet.executor) == 1_000


@attack("P16", "borrow from the protocol in the executor's name")
def test_a_stranger_can_not_borrow_in_the_executors_name(world, devnet):
    """Aave lends to whoever is named: the callback then finds that nobody asked."""
    stranger, usdc = devnet.accounts["trader"], devnet.token("USDC")
    program = assemble(Program(world.chain_id, 2**40 - 1, 2**48 - 1, 0, (Line(usdc, 0),), ()))
    for lender, data in (
        (
            devnet.aave_v3.pool,
            encode_call(
                "flashLoanSimple(address,address,uint256,bytes,uint16)",
                devnet.executor,
                usdc,
                10**6,
                program,
                0,
            ),
        ),
        (
            devnet.erc3156_lender,
            encode_call(
                "flashLoan(address,address,uint256,bytes)",
                devnet.executor,
                devnet.token("DAI"),
                10**6,
                program,
            ),
        ),
        (
            devnet.pool("WETH", "USDC", 500).address,
            encode_call("flash(address,uint256,uint256,bytes)", devnet.executor, 0, 0, program),
        ),
    ):
        with pytest.raises(WorldReverted) as caught:
            world.transact(lender, data, sender=stranger)
        # a pool calls the borrower back at the caller: a stranger without code answers nothing
        expected = {"atomic: bad callback", "reverted without data"}
        assert decode_error(caught.value.data).meaning in expected
