"""``tidegate bench atomic-compile``: a strategy of sixteen steps to the bytes that are signed.

Ours is all that stands between a quote and a plan's bytes: floors with the cost of gas, limits, approvals,
registers, patches, the program, its assembly, its hash, and the call data of ``execute``. Sixteen steps is
about what a program of 4,096 bytes holds: a flash loan with six swaps by v2 and v3, each piped into the next,
and four steps on Aave; then payments and wrapping. The peer encodes the very same calls, approvals included,
as one typed multicall (``aggregate3((address,bool,bytes)[])``) by eth-abi: no limits, no floors, no piping.
Rounds alternate, and the ratio is the median of the ratios within a round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.grammar import parse

from tidegate.chain import selector
from tidegate.desks.atomic import Closed, Loan, Strategy, compile_program, parse_strategy
from tidegate.desks.atomic.machine.closing import floors_of
from tidegate.model import Address, minimum_out
from tidegate.venues import NATIVE, AddressBook, catalogue, load_book
from tidegate.venues.executor import (
    Approve,
    Call,
    FlashKind,
    Program,
    TokenPrice,
    encode_execute,
    program_hash,
    walk,
)

_ROUNDS = 60
_CALLS = 5
_QUOTED = 10**9
_GAS_LIMIT = 1_500_000
_MAX_FEE_WEI = 41 * 10**9
_DEADLINE_S = 1_900_000_000
_DECIMALS = {"WETH": 18, "USDC": 6, "DAI": 18, "WBTC": 8, NATIVE: 18}
_PRICES = {"WETH": 3_000, "USDC": 1, "DAI": 1, "WBTC": 60_000, NATIVE: 3_000}
_MORPHO = Address("0xBBBBBbbBBb9cC5e90e3b3Af64bdAF62C37EEFFCb")
_STEPS = """
strategy: 1
name: sixteen-steps
chain: ethereum
executor: main1
tokens: [WETH, USDC, DAI, WBTC]
gas: {max_gas: 6000000, max_base_fee: 40 gwei, priority_fee: 1 gwei}
deadline: 36 s
bounds: [{token: WETH, min: 0.01 WETH, net_of_gas: true, payout: true}]
steps:
  - flash:
      id: loan
      asset: WETH
      amount: 10 WETH
      max_fee: 5 bps
      steps:
        - {id: s0, {V3}WETH, token_out: USDC, fee: 500, amount: $loan.amount}{LIMITED}
        - {id: s1, {V3}USDC, token_out: DAI, fee: 100, amount: $s0.amount_out}{LIMITED}
        - {id: s2, {V3}DAI, token_out: WBTC, fee: 500, amount: $s1.amount_out}{LIMITED}
        - {id: s3, {V2}WBTC, token_out: WETH, amount: $s2.amount_out}{LIMITED}
        - {id: s4, {V2}WETH, token_out: USDC, amount: 50% of $s3.amount_out}{LIMITED}
        - {id: s5, {V2}USDC, token_out: WETH, amount: $s4.amount_out}{LIMITED}
        - {id: supply, use: aave_v3.supply, in: {asset: WETH, amount: $s5.amount_out}}
        - {id: borrow, use: aave_v3.borrow, in: {asset: USDC, amount: 1000 USDC}}
        - {id: repay, use: aave_v3.repay, in: {asset: USDC, amount: $borrow.amount - 1 USDC}}
        - {id: withdraw, use: aave_v3.withdraw, in: {asset: WETH, amount: 50% of $supply.amount}}
  - {id: unwrap, use: weth.withdraw, in: {amount: 1 WETH}}
  - {id: wrap, use: weth.deposit, in: {amount: 1 WETH}}
  - {id: pay0, use: erc20.transfer, in: {token: WETH, to: treasury, amount: 0.1 WETH}}
  - {id: pay1, use: erc20.transfer, in: {token: USDC, to: treasury, amount: balance(USDC)}}
  - {id: pay2, use: erc20.transfer, in: {token: DAI, to: treasury, amount: balance(DAI)}}
  - {id: pay3, use: erc20.transfer, in: {token: WBTC, to: treasury, amount: balance(WBTC)}}
"""
_AGGREGATE = selector("aggregate3((address,bool,bytes)[])")
_APPROVE = "approve(address,uint256)"

Typed = tuple[Address, bytes, list[str], tuple[Any, ...]]
"""A call as a caller with an ABI has it: target, selector, types, values."""


def run(rounds: int = _ROUNDS) -> dict[str, Any]:
    """Return milliseconds to a plan's bytes, and to the peer's."""
    strategy, book = sixteen_steps(), _book()
    program = compile_program(strategy, book, {}, _closed(strategy))
    typed = list(typed_calls(program.program))
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(_ms_each(lambda: plan_bytes(strategy, book)))
        theirs.append(_ms_each(lambda: multicall_bytes(typed)))
    return {
        "name": "atomic-compile",
        "peer": "eth-abi: the same calls and approvals as one typed multicall, without limits or piping",
        "ratio": round(statistics.median(peer / mine for mine, peer in zip(ours, theirs, strict=True)), 3),
        "plan_ms_p50": round(statistics.median(ours), 3),
        "peer_ms_p50": round(statistics.median(theirs), 3),
        "budgets": {"plan_ms_p50": 3},
        "steps": sum(isinstance(op, Call) for op in walk(program.program.ops)),
        "operations": len(program.steps),
        "program_bytes": len(program.raw),
        "rounds": rounds,
    }


def plan_bytes(strategy: Strategy, book: AddressBook) -> tuple[bytes, bytes]:
    """Return the call data of a plan and the hash of its program."""
    program = compile_program(strategy, book, {}, _closed(strategy))
    return encode_execute(program.raw), program_hash(program.raw)


def multicall_bytes(calls: list[Typed]) -> bytes:
    """Return the peer's call data."""
    encoded = [(target, False, chosen + encode(types, values)) for target, chosen, types, values in calls]
    return _AGGREGATE + encode(["(address,bool,bytes)[]"], [encoded])


def typed_calls(program: Program) -> Iterator[Typed]:
    """Yield what a program calls, decoded to types and values; an approval's amount is any number."""
    signatures = {spec.selector: spec.signature for spec in catalogue().values()}
    for op in walk(program.ops):
        if isinstance(op, Approve):
            yield op.token, selector(_APPROVE), ["address", "uint256"], (op.spender, _QUOTED)
        elif isinstance(op, Call):
            signature = signatures[op.data[:4]]
            listed = signature[signature.index("(") :]
            types = [] if listed == "()" else [part.to_type_str() for part in parse(listed).components]
            yield op.target, op.data[:4], types, decode(types, op.data[4:])


def sixteen_steps() -> Strategy:
    """Return the strategy."""
    text = _STEPS.replace("{V3}", "use: uniswap_v3.exact_input_single, in: {token_in: ")
    text = text.replace("{V2}", "use: uniswap_v2.swap_exact_tokens_for_tokens, in: {token_in: ")
    text = text.replace("{LIMITED}", ", slippage: 30 bps}")
    return parse_strategy(text.encode(), "sixteen.yaml", {"ethereum": _DECIMALS})


def _closed(strategy: Strategy) -> Closed:
    """Return what closes the program, from quotes that stand still."""
    prices = {name: TokenPrice(price * 10**8, _DECIMALS[name]) for name, price in _PRICES.items()}
    return Closed(
        loans={"loan": Loan("morpho_blue.morpho", FlashKind.MORPHO_BLUE, _MORPHO)},
        limits={f"s{index}": minimum_out(_QUOTED, 30) for index in range(6)},
        max_fees={"loan": 0},
        floors=floors_of(strategy, prices, {}, gas_limit=_GAS_LIMIT, max_fee_wei=_MAX_FEE_WEI),
        deadline_s=_DEADLINE_S,
        max_base_fee_wei=strategy.gas.max_base_fee_wei,
    )


def _ms_each(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(_CALLS):
        work()
    return (time.perf_counter() - began) / _CALLS * 1e3


def _book() -> AddressBook:
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
                "executor.main1": {"address": "0x" + "e1" * 20},
                "treasury": {"address": "0x" + "77" * 20},
                "uniswap_v2.router": {"address": "0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D"},
                "weth.weth9": {"address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"},
                "aave_v3.pool": {"address": "0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2"},
                "uniswap_v3.router02": {"address": "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"},
            },
        }
    )
