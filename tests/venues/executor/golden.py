"""The golden program of specs/atomic.md 4.3: two swaps around a Morpho loan, on mainnet."""

from tidegate.chain import address, encode_call
from tidegate.venues.executor import (
    Approve,
    Call,
    Capture,
    Flash,
    FlashKind,
    Line,
    Load,
    Patch,
    Program,
)

WETH = address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
USDC = address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
MORPHO = address("0xbbbbbbbbbb9cc5e90e3b3af64bdaf62c37eeffcb")
ROUTER = address("0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45")
EXECUTOR = address("0x" + "e1" * 20)

KECCAK = "a531d5f0c83de48014f5a71befaaeab24fb4ebb985550c45cc5a3802b7154afd"
SIZE_BYTES = 930
CALLDATA_GAS = 8_496


def swap(token_in: str, token_out: str, fee: int, amount: int, least: int) -> bytes:
    return encode_call(
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
        (token_in, token_out, fee, EXECUTOR, amount, least, 0),
    )


PROGRAM = Program(
    chain_id=1,
    deadline=1_900_000_000,
    max_base_fee=40 * 10**9,
    registers=4,
    lines=(Line(USDC, 0), Line(WETH, 34_150_000_000_000_000, payout=True)),
    ops=(
        Load.literal(0, 0, 5 * 10**18),
        Flash(
            tag=5,
            kind=FlashKind.MORPHO_BLUE,
            lender=MORPHO,
            token=WETH,
            amount_register=0,
            repay_register=1,
            ops=(
                Approve(1, WETH, ROUTER, 0),
                Call(2, ROUTER, swap(WETH, USDC, 500, 5 * 10**18, 14_955_000_000), capture=Capture(2)),
                Approve(3, USDC, ROUTER, 2),
                Call(
                    4,
                    ROUTER,
                    swap(USDC, WETH, 3000, 0, 5_040_000_000_000_000_000),
                    patches=(Patch(4, 2),),
                    capture=Capture(3),
                ),
            ),
        ),
    ),
)
