"""How deployments look: what would be sent, and what stands on chain now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from rich.console import Console

from tidegate.app.findings import Finding, render_findings
from tidegate.model import format_units

_COIN_DECIMALS = 18


def render_plans(out: Console, plans: Iterable[Mapping[str, Any]], *, sends: bool) -> None:
    """Print what was demanded on each chain, and every transaction with its predicted address."""
    for plan in plans:
        out.print(f"{plan['chain']} (chain {plan['chain_id']}), deployer {plan['deployer']}")
        render_findings(out, [msgspec.convert(one, Finding) for one in plan["findings"]])
        for one in plan["executors"]:
            cost = format_units(int(one["cost_max_wei"]), _COIN_DECIMALS)
            out.print(
                f"  {one['name']}: {one['state']}, nonce {one['nonce']}, at {one['address']}, "
                f"gas limit {one['gas_limit']:,}, at most {cost} of the chain's coin"
            )
        out.print(f"  creation code {plan['initcode_keccak']}")
        out.print(f"  runtime code  {plan['runtime_keccak']}, by {plan['compiler']}")
        if not plan["ok"]:
            out.print("  nothing was sent: mend what is wrong" if sends else "  it would not be sent")


def render_deployed(out: Console, deployed: Iterable[Mapping[str, Any]]) -> None:
    """Print what stands on each chain now, where it is written, and the next step."""
    for chain in deployed:
        out.print(f"{chain['chain']} (chain {chain['chain_id']})")
        for one in chain["executors"]:
            done = f"block {one['block']}, {one['gas_used']:,} gas" if one["block"] else one["mined_in"]
            out.print(f"  {one['name']}: {one['address']}, {done}, code {one['code_hash']}")
            render_findings(out, [msgspec.convert(item, Finding) for item in one["findings"]])
        out.print(f"  written to {chain['book']}")
        out.print(
            "  next: tidegate strategy policy FILES --executor "
            f"{chain['executors'][0]['name']} --chain {chain['chain']} --safe policy.json"
        )
