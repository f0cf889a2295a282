"""Strategies for the compiler's tests, on a mainnet book that needs no chain."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.desks.atomic import Closed, Loan, Strategy, compile_program, parse_strategy
from tidegate.desks.atomic.machine.compiler import SignableProgram
from tidegate.model import Address
from tidegate.venues import AddressBook, load_book
from tidegate.venues.executor import FlashKind

DECIMALS = {"ETH": 18, "WETH": 18, "USDC": 6, "DAI": 18, "WBTC": 8}
MORPHO = Address("0xBBBBBbbBBb9cC5e90e3b3Af64bdAF62C37EEFFCb")
EXECUTOR = Address("0xE1E1E1e1E1E1e1e1E1E1E1e1e1e1E1E1E1E1e1e1")
DEADLINE_S = 1_900_000_000

HEAD = """
strategy: 1
name: test
chain: ethereum
executor: main1
tokens: [ETH, WETH, USDC, DAI, WBTC]
blinds:
  size: {type: amount, token: WETH, min: 0.1 WETH, max: 50 WETH}
  tier: {type: uint256, min: 1, max: 1000000}
  who: {type: address}
trigger: {manual: {}}
once: false
gas: {max_gas: 900000, max_base_fee: 40 gwei, priority_fee: 1.5 gwei}
deadline: 36 s
bounds: [{token: WETH, min: 0.01 WETH, payout: true}]
"""


def book() -> AddressBook:
    return load_book(
        {
            "chain": "ethereum",
            "chain_id": 1,
            "tokens": {
                "WETH": {"address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "decimals": 18},
                "USDC": {"address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "decimals": 6},
                "DAI": {"address": "0x6B175474E89094C44Da98b954EedeAC495271d0F", "decimals": 18},
                "WBTC": {"address": "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599", "decimals": 8},
            },
            "contracts": {
                "executor.main1": {"address": EXECUTOR},
                "treasury": {"address": "0x" + "77" * 20},
                "guard_lens": {"address": "0x" + "1e" * 20},
                "weth.weth9": {"address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"},
                "uniswap_v2.router": {"address": "0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D"},
                "uniswap_v3.router02": {"address": "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"},
                "aave_v3.pool": {"address": "0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2"},
            },
        }
    )


def strategy(steps: str, head: str = HEAD) -> Strategy:
    """A strategy from its steps alone, one YAML flow mapping a line."""
    lines = "".join(f"  - {line.strip()}\n" for line in steps.strip().splitlines())
    return parse_strategy(f"{head.strip()}\nsteps:\n{lines}".encode(), "test.yaml", {"ethereum": DECIMALS})


def closed(
    limits: Mapping[str, int] | None = None, *, loans: tuple[str, ...] = (), **changes: object
) -> Closed:
    terms: dict[str, object] = {
        "loans": {name: Loan("morpho", FlashKind.MORPHO_BLUE, MORPHO) for name in loans},
        "limits": limits or {},
        "max_fees": dict.fromkeys(loans, 0),
        "floors": {},
        "deadline_s": DEADLINE_S,
        "max_base_fee_wei": 40 * 10**9,
    }
    return Closed(**(terms | changes))  # type: ignore[arg-type]


def compiled(
    steps: str,
    limits: Mapping[str, int] | None = None,
    *,
    loans: tuple[str, ...] = (),
    blinds: Mapping[str, int | bool | str] | None = None,
    head: str = HEAD,
    **changes: object,
) -> SignableProgram:
    given = {"size": 5 * 10**18, "tier": 500, "who": EXECUTOR} | dict(blinds or {})
    return compile_program(strategy(steps, head), book(), given, closed(limits, loans=loans, **changes))


V3 = "uniswap_v3.exact_input_single"
SELL = (
    f"{{id: sell, use: {V3}, in: {{token_in: WETH, token_out: USDC, fee: 500, amount: 1 WETH}}, "
    "slippage: 30 bps}"
)
V2 = "uniswap_v2.swap_exact_tokens_for_tokens"
HOP = f"{{id: hop, use: {V2}, in: {{token_in: WETH, token_out: USDC, amount: 1 WETH}}, slippage: 30 bps}}"
V2_OUT = "uniswap_v2.swap_tokens_for_exact_tokens"
BUY = (
    f"{{id: buy, use: {V3}, in: {{token_in: USDC, token_out: WETH, fee: 3000, amount: $sell.amount_out}}, "
    "slippage: 30 bps}"
)
