"""Live scenes: for every action, in every edition, steps that run it on the protocol's own bytecode.

A new action needs one entry here and nothing else: all conformance tests are computed from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD, SWAPS

from tidegate.chain import encode_call, keccak256
from tidegate.desks.atomic import Assignment
from tidegate.model import Address
from tidegate.venues.chainlink import set_answer

WETH, USDC, DAI = 10**18, 10**6, 10**18
ALL = 2**256 - 1


def unmoved(ground: Ground) -> None:
    """The devnet as it was built."""


def ether_falls(ground: Ground) -> None:
    """Ether loses a fifth: the position of borrower1 may be liquidated."""
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 2_400 * 10**8)


def allowance(ground: Ground, token: Address, spender: Address) -> int:
    """What ``spender`` may take of the executor's tokens."""
    data = encode_call("allowance(address,address)", ground.executor, spender)
    return int.from_bytes(ground.world.call(token, data))


def allowance_is_left(ground: Ground) -> None:
    """No program can leave one: it is written into the token's storage, wherever that keeps allowances."""
    token, spender = ground.devnet.token("USDC"), ground.devnet.uniswap_v2.router
    for slot in range(16):
        outer = keccak256(slot.to_bytes(32) + bytes.fromhex(ground.executor[2:]).rjust(32, b"\0"))
        place = int.from_bytes(keccak256(outer + bytes.fromhex(spender[2:]).rjust(32, b"\0")))
        ground.world.set_storage(token, place, 5 * USDC)
        if allowance(ground, token, spender):
            return
        ground.world.set_storage(token, place, 0)
    raise AssertionError("the token keeps its allowances elsewhere")


@dataclass(frozen=True)
class Scene:
    """Steps of which the last is ``use``; ``deltas`` are what they change exactly, where that is plain.

    Executor and market are as ``given`` and ``moved`` make them. ``BORROWER`` in the text is borrower1.
    """

    use: str
    inputs: str
    before: str = ""
    more: str = ""
    deltas: dict[str, int] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=lambda: {"WETH": 3 * WETH, "USDC": 6_000 * USDC})
    moved: Callable[[Ground], None] = unmoved

    @property
    def steps(self) -> str:
        return f"{self.before}  - {{id: last, use: {self.use}, in: {{{self.inputs}}}{self.more}}}\n"

    def with_inputs(self, inputs: str) -> Scene:
        return Scene(self.use, inputs, self.before, self.more, {}, self.given, self.moved)

    def text(self, ground: Ground) -> str:
        borrower = f'"{ground.devnet.accounts["borrower1"]}"'
        return (HEAD.replace("tokens: [", "tokens: [ETH, ") + self.steps).replace("BORROWER", borrower)

    def set_up(self, ground: Ground) -> Assignment:
        """The strategy, permitted, with the executor's funds and the market's state."""
        job = ground.job(self.text(ground))
        ground.allow(job)
        self.moved(ground)
        for symbol, amount in self.given.items():
            ground.give(symbol, amount)
        return job


def swap(use: str, inputs: str) -> Scene:
    return Scene(use, inputs, more=", slippage: 30 bps")


V2, V3 = "uniswap_v2.", "uniswap_v3."
OLD = ", router: uniswap_v3.router"
PRIME = ", pool: aave_v3.prime.pool"
WRAP = "  - {id: out, use: weth.withdraw, in: {amount: 1 WETH}}\n"
SUPPLIED = "  - {id: put, use: aave_v3.supply, in: {asset: %s%s}}\n"
OWING = "  - {id: owe, use: aave_v3.borrow, in: {asset: USDC, amount: 1000 USDC%s}}\n"
PAID = "  - {id: pay, use: aave_v3.repay, in: {asset: USDC, amount: 5000 USDC%s}}\n"
ONE_WETH = "WETH, amount: 1 WETH"
THROUGH_DOLLARS = "token_in: WETH, token_out: DAI, via: [USDC], fees: [500, 500]"
SINGLE = {use: inputs.strip("{}") for use, inputs in SWAPS.items()}
FEE_ON_TRANSFER = "swap_exact_tokens_for_tokens_supporting_fee_on_transfer_tokens"
LIQUIDATION = "collateral: WETH, debt: USDC, user: BORROWER, amount: 1000 USDC"


def lending(market: str) -> dict[str, Scene]:
    """What can be done with a position on one market of Aave."""
    put, owe = SUPPLIED % (ONE_WETH, market), OWING % market
    own = "executor's own market" if not market else "second market"
    return {
        f"supply, {own}": Scene("aave_v3.supply", f"asset: {ONE_WETH}{market}", deltas={"WETH": -WETH}),
        f"borrow, {own}": Scene(
            "aave_v3.borrow",
            f"asset: USDC, amount: 1000 USDC{market}",
            before=put,
            deltas={"WETH": -WETH, "USDC": 1_000 * USDC},
        ),
        f"repay, {own}": Scene(
            "aave_v3.repay",
            f"asset: USDC, amount: 5000 USDC{market}",
            before=put + owe,
            deltas={"WETH": -WETH, "USDC": 0},
        ),
        f"withdraw, {own}": Scene(
            "aave_v3.withdraw",
            f"asset: WETH, amount: {ALL}{market}",
            before=put + owe + PAID % market,
            deltas={"WETH": 0, "USDC": 0},
        ),
        f"collateral off, {own}": Scene(
            "aave_v3.set_user_use_reserve_as_collateral",
            f"asset: WETH, enabled: false{market}",
            before=put,
            deltas={"WETH": -WETH},
        ),
    }


SCENES = {
    "v3 in": swap(f"{V3}exact_input_single", SINGLE[f"{V3}exact_input_single"]),
    "v3 in, SwapRouter": swap(f"{V3}exact_input_single", SINGLE[f"{V3}exact_input_single"] + OLD),
    "v3 out": swap(f"{V3}exact_output_single", SINGLE[f"{V3}exact_output_single"]),
    "v3 out, SwapRouter": swap(f"{V3}exact_output_single", SINGLE[f"{V3}exact_output_single"] + OLD),
    "v3 path in": swap(f"{V3}exact_input", f"{THROUGH_DOLLARS}, amount: 1 WETH"),
    "v3 path in, SwapRouter": swap(f"{V3}exact_input", f"{THROUGH_DOLLARS}, amount: 1 WETH{OLD}"),
    "v3 path out": swap(f"{V3}exact_output", f"{THROUGH_DOLLARS}, amount_out: 1000 DAI"),
    "v3 path out, SwapRouter": swap(f"{V3}exact_output", f"{THROUGH_DOLLARS}, amount_out: 1000 DAI{OLD}"),
    "v2 in": swap(f"{V2}swap_exact_tokens_for_tokens", SINGLE[f"{V2}swap_exact_tokens_for_tokens"]),
    "v2 in, through a pair": swap(
        f"{V2}swap_exact_tokens_for_tokens",
        "token_in: USDC, token_out: WBTC, via: [WETH], amount: 1000 USDC",
    ),
    "v2 out": swap(f"{V2}swap_tokens_for_exact_tokens", SINGLE[f"{V2}swap_tokens_for_exact_tokens"]),
    "v2 by balance": swap(V2 + FEE_ON_TRANSFER, SINGLE[f"{V2}swap_exact_tokens_for_tokens"]),
    "transfer": Scene(
        "erc20.transfer", "token: USDC, to: treasury, amount: 7 USDC", deltas={"USDC": -7 * USDC}
    ),
    "reset": Scene(
        "erc20.reset", "token: USDC, spender: uniswap_v2.router", moved=allowance_is_left, deltas={}
    ),
    "unwrap": Scene("weth.withdraw", "amount: 1 WETH", deltas={"WETH": -WETH, "ETH": WETH}),
    "wrap": Scene(
        "weth.deposit",
        "amount: 50% of balance(ETH)",
        before=WRAP,
        deltas={"WETH": -WETH // 2, "ETH": WETH // 2},
    ),
    **lending(""),
    **lending(PRIME),
    "enter a category": Scene(
        "aave_v3.set_user_e_mode",
        "category: 1",
        before=SUPPLIED % ("USDC, amount: 1000 USDC", ""),
        deltas={"USDC": -1_000 * USDC},
    ),
    "leave a category": Scene(
        "aave_v3.set_user_e_mode",
        "category: 0",
        before="  - {id: enter, use: aave_v3.set_user_e_mode, in: {category: 1}}\n",
    ),
    "liquidation": Scene(
        "aave_v3.liquidation_call", LIQUIDATION, moved=ether_falls, deltas={"USDC": -1_000 * USDC}
    ),
}
