"""What a plan costs, against what the chain and the plan itself allow."""

from __future__ import annotations

from tidegate.chain import Network, demand_gas_limit
from tidegate.model import Block, Denied, Plan, Reason, format_usd
from tidegate.pipeline.run import Run


def demand_affordable(plan: Plan, network: Network, head: Block) -> None:
    """Refuse a plan whose gas or price no transaction of the chain may have.

    Raises
    ------
    Denied
        ``gas_cap`` or ``fee_cap``.
    """
    demand_gas_limit(plan.gas_limit, network, head.gas_limit)
    if plan.max_fee_wei > network.fee_cap_wei:
        raise Denied(
            Reason.FEE_CAP,
            f"the plan offers more for gas than anyone may on {network.name}",
            found=f"{plan.max_fee_wei} wei per gas",
            allowed=f"{network.fee_cap_wei} wei per gas",
            fix="lower the plan's highest fee, or raise fee_cap_wei of the network",
        )
    if head.base_fee_wei - head.base_fee_wei // 8 > plan.max_fee_wei:
        # The base fee falls by an eighth a block at most: not even an empty block makes room.
        raise Denied(
            Reason.FEE_CAP,
            "the next block's base fee is above what the plan pays at most",
            found=f"{head.base_fee_wei} wei per gas at block {head.number}",
            allowed=f"{plan.max_fee_wei} wei per gas",
            fix="wait for a lower base fee",
        )


def demand_data_fee(run: Run, fee_wei: int) -> None:
    """Refuse a plan whose margin above its floors does not pay the parent chain for its data.

    The floors were made for the gas alone. What lies above them, at the plan's own prices rounded down,
    must be at least the fee, rounded up.

    Raises
    ------
    Denied
        ``unprofitable``.
    """
    assert run.plan is not None
    assert run.simulated is not None
    prices = run.plan.prices_usd_e8
    margin_e8 = sum(
        (int(delta) - bound.floor) * prices[bound.symbol] // int(10**bound.decimals)
        for bound, delta in zip(run.plan.bounds, run.simulated.deltas, strict=True)
        if bound.payout
    )
    fee_e8 = -(-fee_wei * prices["native"] // 10**18)
    if margin_e8 < fee_e8:
        raise Denied(
            Reason.UNPROFITABLE,
            "what the parent chain takes for the data eats the profit",
            found=f"a fee of {format_usd(-(-fee_e8 // 100))}",
            allowed=f"at most {format_usd(margin_e8 // 100)}: what lies above the floors",
            fix="wait for a wider gap, or a cheaper parent chain",
        )
