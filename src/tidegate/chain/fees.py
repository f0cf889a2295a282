"""What to pay for gas: quotes, caps, gas limits, replacements. Integers, each rounding stated.

Prices are wei per gas. A quote is what the chain asks; a cap is what we would pay at most. Where they
do not meet nothing is signed: ``fee_cap``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tidegate.chain.networks import Network
from tidegate.chain.reads import FeeHistory
from tidegate.model import BPS, Denied, Reason, mul_div_down, mul_div_up

HISTORY_BLOCKS = 20
PERCENTILE = 60
REPLACEMENT_BPS = 11_250
"""A replacement pays an eighth more; nodes ask for a tenth."""
REPLACEMENTS_MAX = 5
CANCEL_GAS = 21_000
"""What a transfer without data costs, the same on every EVM chain without a data fee in gas."""
BLOCK_SHARE_BPS = 8_000


class FeeReads(Protocol):
    """What a quote is made from. ``ChainReads`` is one."""

    async def fee_history(
        self, blocks: int = HISTORY_BLOCKS, percentiles: Sequence[float] = ()
    ) -> FeeHistory:
        """Return base fees, and priority fees by percentile, of the newest ``blocks``."""
        ...


class Fees(msgspec.Struct, frozen=True):
    """What one version of a transaction offers, in wei per gas."""

    max_fee_wei: int
    max_priority_fee_wei: int


class FeeQuote(msgspec.Struct, frozen=True):
    """What the chain asks for just now. ``base_fee_next_wei`` is 0 where there is no base fee."""

    base_fee_next_wei: int
    priority_fee_wei: int

    @property
    def fees(self) -> Fees:
        """Return 2 x base fee + priority fee: good for six full blocks in a row.

        The base fee rises by an eighth at most, and 1.125 ** 5 is 1.80, 1.125 ** 6 is 2.03.
        """
        return Fees(2 * self.base_fee_next_wei + self.priority_fee_wei, self.priority_fee_wei)


def quote_of(history: FeeHistory, network: Network) -> FeeQuote:
    """Return the quote that a fee history gives on a network.

    The priority fee is the median over the blocks of each block's own percentile (the lower of two
    middles), blocks without any transaction left out, between the network's floor and cap. On a chain
    without a base fee the percentile is of whole gas prices, and no cap but ``fee_cap_wei`` binds it.

    Examples
    --------
    Base fee 10 gwei next, percentiles 1, 3 and 2 gwei: priority 2 gwei, max fee 22 gwei.
    """
    seen = sorted(
        row[0]
        for row, used in zip(history.rewards_wei, history.gas_used_ratios, strict=False)
        if row and used > 0
    )
    middle = seen[(len(seen) - 1) // 2] if seen else 0
    if network.is_legacy:
        return FeeQuote(0, max(middle, network.priority_floor_wei))
    priority = min(max(middle, network.priority_floor_wei), network.priority_cap_wei)
    return FeeQuote(history.next_base_fee_wei, priority)


class FeeMarket:
    """Quotes for one network, from the newest blocks.

    Parameters
    ----------
    percentile
        Whose priority fee is paid, among the transactions of each of ``blocks`` blocks: 60 is more than
        most, and less than whoever is in a hurry.
    """

    def __init__(
        self,
        reads: FeeReads,
        network: Network,
        *,
        percentile: float = PERCENTILE,
        blocks: int = HISTORY_BLOCKS,
    ) -> None:
        self._reads = reads
        self._network = network
        self._percentile = percentile
        self._blocks = blocks

    async def quote(self) -> FeeQuote:
        """Return what the chain asks for. Raises as the reads do."""
        return quote_of(await self._reads.fee_history(self._blocks, (self._percentile,)), self._network)


def fitted(fees: Fees, *, base_fee_next_wei: int, cap_wei: int) -> Fees:
    """Return ``fees`` under a cap on the price per gas.

    Raises
    ------
    Denied
        ``fee_cap`` if the next block's base fee alone is above the cap: it could not be included.
    """
    if base_fee_next_wei > cap_wei:
        raise Denied(
            Reason.FEE_CAP,
            "the next block's base fee is above what this transaction may pay",
            found=f"{base_fee_next_wei} wei per gas",
            allowed=f"{cap_wei} wei per gas",
            fix="wait for a lower base fee, or raise the cap of the network or the plan's own gas budget",
        )
    return _under(fees, cap_wei)


def price_cap_wei(network: Network, *, gas_limit: int, gas_budget_wei: int) -> int:
    """Return the highest price per gas: the network's cap, and what the budget pays all the gas at.

    Rounds down: 700,001 wei for 7 gas is 100,000 wei per gas.
    """
    return min(network.fee_cap_wei, mul_div_down(gas_budget_wei, 1, gas_limit))


def replacement(
    previous: Fees, quote: FeeQuote, cap_wei: int, *, minimum_bps: int = REPLACEMENT_BPS
) -> Fees | None:
    """Return the fees of the next version under the same nonce, or None if no cap allows one.

    Both fees rise by an eighth, rounded up, and to what the chain asks for if that is more. A node takes
    no version that raises either fee by less than ``minimum_bps``, so one that a cap would cut below that
    is none.

    Examples
    --------
    100 and 7 become 113 and 8.
    """
    least = Fees(
        mul_div_up(previous.max_fee_wei, minimum_bps, BPS),
        max(mul_div_up(previous.max_priority_fee_wei, minimum_bps, BPS), previous.max_priority_fee_wei + 1),
    )
    if least.max_fee_wei > cap_wei:
        return None
    asked = _under(quote.fees, cap_wei)
    return _under(
        Fees(
            max(least.max_fee_wei, asked.max_fee_wei),
            max(least.max_priority_fee_wei, asked.max_priority_fee_wei),
        ),
        cap_wei,
    )


def gas_limit_max(network: Network, block_gas_limit: int) -> int:
    """Return the most gas for one transaction: 80 % of a block (rounded down), or the chain's own cap."""
    share = mul_div_down(block_gas_limit, BLOCK_SHARE_BPS, BPS)
    return share if network.transaction_gas_max is None else min(share, network.transaction_gas_max)


def gas_limit_of(gas_used: int, network: Network, block_gas_limit: int) -> int:
    """Return simulated gas with the network's margin, rounded up: 200,001 at 15 % is 230,002.

    Raises
    ------
    Denied
        ``gas_cap`` if that is more than one transaction may have.
    """
    wanted = mul_div_up(gas_used, network.gas_margin_bps, BPS)
    demand_gas_limit(wanted, network, block_gas_limit)
    return wanted


def demand_gas_limit(gas_limit: int, network: Network, block_gas_limit: int) -> None:
    """Refuse a gas limit that no transaction of the chain may have.

    Raises
    ------
    Denied
        ``gas_cap``.
    """
    most = gas_limit_max(network, block_gas_limit)
    if gas_limit > most:
        raise Denied(
            Reason.GAS_CAP,
            f"a transaction on {network.name} may not have so much gas",
            found=f"{gas_limit}",
            allowed=f"{most}: 80 % of a block, and the chain's own cap for one transaction",
            fix="split the plan",
        )


def _under(fees: Fees, cap_wei: int) -> Fees:
    return Fees(min(fees.max_fee_wei, cap_wei), min(fees.max_priority_fee_wei, fees.max_fee_wei, cap_wei))
