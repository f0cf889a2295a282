"""The strategy of the specification compiles to the specification's own bytes."""

from __future__ import annotations

from tests.desks.atomic.machine.texts import DEADLINE_S, DECIMALS, closed
from tests.desks.atomic.machine.texts import book as mainnet
from tests.venues.executor.golden import KECCAK, PROGRAM, SIZE_BYTES

from tidegate.desks.atomic import parse_strategy
from tidegate.desks.atomic.machine.compiler import _Compiler
from tidegate.venues.executor import assemble, program_hash

TEXT = b"""
strategy: 1
name: weth-usdc-tier-arb
chain: ethereum
executor: main1
tokens: [WETH, USDC]
blinds: {size: {type: amount, token: WETH, min: 0.1 WETH, max: 50 WETH}}
trigger: {every_block: {}, cooldown: 2 blocks}
gas: {max_gas: 900000, max_base_fee: 40 gwei, priority_fee: 1.5 gwei}
deadline: 36 s
bounds: [{token: WETH, min: 0.01 WETH, net_of_gas: true, payout: true}]
steps:
  - flash: {id: loan, asset: WETH, amount: $size, provider: auto, max_fee: 5 bps, steps: [
      {id: sell, use: uniswap_v3.exact_input_single, in: {token_in: WETH, token_out: USDC, fee: 500,
        amount: $loan.amount}, slippage: 30 bps},
      {id: buy, use: uniswap_v3.exact_input_single, in: {token_in: USDC, token_out: WETH, fee: 3000,
        amount: $sell.amount_out}, slippage: 30 bps}]}
"""


def test_the_golden_program_byte_for_byte() -> None:
    """It keeps every output, also those that nobody reads, as a watched compilation does."""
    strategy = parse_strategy(TEXT, "arb.yaml", {"ethereum": DECIMALS})
    terms = closed(
        {"sell": 14_955_000_000, "buy": 5_040_000_000_000_000_000},
        loans=("loan",),
        floors={"WETH": 34_150_000_000_000_000},
        deadline_s=DEADLINE_S,
    )
    watched = (("loan", "repay"), ("sell", "amount_out"), ("buy", "amount_out"))
    program = _Compiler(strategy, mainnet(), {"size": 5 * 10**18}, terms, watched).run()
    assert program == PROGRAM
    raw = assemble(program)
    assert (len(raw), program_hash(raw).hex()) == (SIZE_BYTES, KECCAK)
