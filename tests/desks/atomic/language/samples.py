"""A small strategy without findings, and ways to spoil it."""

from __future__ import annotations

from pathlib import Path

from tidegate.desks.atomic import Finding, check_file, parse_strategy
from tidegate.desks.atomic.language.syntax import Strategy

TABLES = {
    "devnet": {"WETH": 18, "USDC": 6, "WBTC": 8, "DAI": 18, "ETH": 18},
    "ethereum": {"WETH": 18, "USDC": 6},
    "arbitrum": {"WETH": 18, "USDC": 6},
}
FILE = "arb.yaml"

ARB = """\
strategy: 1
name: weth-usdc-tier-arb
chain: devnet
executor: main1
tokens: [WETH, USDC]
blinds: {size: {type: amount, token: WETH, min: 0.1 WETH, max: 50 WETH}}
trigger: {every_block: {}, cooldown: 2 blocks}
gas: {max_gas: 900000, max_base_fee: 40 gwei, priority_fee: 1.5 gwei}
deadline: 36 s
bounds: [{token: WETH, min: 0.01 WETH, net_of_gas: true, payout: true}]
guards:
  - {oracle_sanity: {pair: WETH/USDC, max_deviation: 100 bps}, place: [pre, in], on_failure: revert}
steps:
  - flash:
      id: loan
      asset: WETH
      amount: $size
      provider: auto
      max_fee: 5 bps
      steps:
        - id: sell
          use: uniswap_v3.exact_input_single
          in: {token_in: WETH, token_out: USDC, fee: 500, amount: $loan.amount}
          slippage: 30 bps
        - id: buy
          use: uniswap_v3.exact_input_single
          in: {token_in: USDC, token_out: WETH, fee: 3000, amount: $sell.amount_out}
          slippage: 30 bps
"""

LEND = """\
strategy: 1
name: supply-some
chain: devnet
executor: main1
tokens: [WETH, USDC]
gas: {max_gas: 900000, max_base_fee: 40 gwei, priority_fee: 1 gwei}
deadline: 36 s
bounds: [{token: WETH, min: -2 WETH}]
guards:
  - {min_health_factor: {min: 1.3}, place: [pre, in]}
steps:
  - id: supply
    use: aave_v3.supply
    in: {asset: WETH, amount: 2 WETH}
  - id: borrow
    use: aave_v3.borrow
    in: {asset: USDC, amount: 1000 USDC}
"""


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Return ``text`` with each (old, new) applied once; an old that is not there is a broken test."""
    for old, new in changes:
        assert old in text, f"not in the sample: {old}"
        text = text.replace(old, new, 1)
    return text


def parsed(text: str, file: str = FILE) -> Strategy:
    return parse_strategy(text.encode(), file, TABLES)


def findings(text: str, folder: Path, file: str = FILE) -> tuple[Finding, ...]:
    path = folder / file
    path.write_text(text, encoding="utf-8")
    return check_file(path, TABLES)[1]


def place_of(text: str, needle: str, occurrence: int = 1) -> tuple[int, int]:
    """Return line and column, from 1, of an occurrence of ``needle``."""
    offset = -1
    for _ in range(occurrence):
        offset = text.index(needle, offset + 1)
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
