"""What ``tidegate strategy plan|simulate|run`` show to people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.app.story import gas_of_step, utc
from tidegate.model import format_units, format_usd


def render_plan(out: Console, value: dict[str, Any]) -> None:
    """Show a plan: size, bytes, gas, risk, floors, lenders, operations."""
    out.print(Text.assemble((value["strategy"], "bold"), f" on {value['executor']} of {value['chain']}"))
    if value["size"] is not None:
        out.print(f"size       {value['size']}, {'found by search' if value['searched'] else 'as given'}")
    out.print(f"quoted     at block {value['quoted_at_block']}")
    out.print(f"program    {value['program_bytes']} bytes, hash {value['program_hash']}")
    gwei = format_units(int(value["max_fee_wei"]), 9)
    out.print(f"gas        limit {value['gas_limit']:,} at {gwei} gwei at most")
    out.print(
        f"risk       {format_usd(value['at_risk_usd_e6'])} at risk, {format_usd(value['flow_usd_e6'])} moved"
    )
    table = Table("token", box=None)
    for name in ("quoted change", "floor on chain", "pays out"):
        table.add_column(name, justify="right")
    for bound in value["bounds"]:
        table.add_row(
            bound["token"],
            format_units(int(bound["quoted"]), bound["decimals"]),
            format_units(int(bound["floor"]), bound["decimals"]),
            "yes" if bound["payout"] else "no",
        )
    out.print(table)
    for step, lenders in value["lenders"].items():
        chosen = [_lender(one) for one in lenders if one["chosen"]]
        out.print(f"lenders of {step}: {', '.join(chosen)}")
        for place, one in enumerate(one for one in lenders if not one["chosen"]):
            out.print(f"  {'' if place else 'runners-up:':<12}{_lender(one)}")
    operations = Table("offset", "bytes", "operation", "step", "what", box=None)
    for op in value["operations"]:
        operation = "   " * (op["depth"] - 1) + "└─ " * (op["depth"] > 0) + op["operation"]
        operations.add_row(str(op["offset"]), str(op["bytes"]), operation, op["step"], op["what"])
    out.print(operations)


def render_simulation(out: Console, value: dict[str, Any]) -> None:
    """Show what a plan's very bytes do: the failing step, or changes, margins and gas by step."""
    verdict = ("succeeds", "green") if value["ok"] else ("reverts", "red")
    where = f" at block {value['block']} of {value['chain']}"
    out.print(Text.assemble((value["strategy"], "bold"), " ", verdict, where))
    out.print(f"program    hash {value['program_hash']}")
    if not value["ok"]:
        out.print(f"step       {value['failing_step'] or 'none'}")
        out.print(f"reason     {value['reason']}")
        return
    out.print(f"gas        {value['gas_used']:,} used, limit {value['gas_limit']:,}; {value['logs']} logs")
    table = Table("token", box=None)
    for name in ("change", "floor", "margin"):
        table.add_column(name, justify="right")
    for bound in value["bounds"]:
        amounts = (format_units(int(bound[key]), bound["decimals"]) for key in ("delta", "floor", "margin"))
        table.add_row(bound["token"], *amounts)
    out.print(table)
    steps = Table("step", box=None)
    steps.add_column("gas", justify="right")
    for step, gas in (*map(gas_of_step, value["gas_by_step"].items()), *_around_steps(value)):
        steps.add_row(step, f"{gas:,}")
    steps.add_row("gas used", f"{value['gas_used']:,}", style="bold")
    out.print(steps)


def _lender(one: dict[str, Any]) -> str:
    """Return a lender with what its loan costs, and of what that is made up."""
    fee, gas, cost = (int(one[key]) for key in ("fee_usd_e6", "gas_usd_e6", "cost_usd_e6"))
    parts = f"{one['fee_bps']} bps = {format_usd(fee)}, gas {format_usd(gas)}"
    penalty = cost - fee - gas
    caution = f", caution {format_usd(penalty)}" if penalty else ""
    return f"{one['name']} {format_usd(cost)} ({parts}{caution})"


def _around_steps(value: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the gas that belongs to no step: with the steps it adds up to the gas used.

    The limit that a run needs is its gas before refunds, the highest that its bill ever stands.
    """
    steps = sum(value["gas_by_step"].values())
    needed, used = value["gas_needed"], value["gas_used"]
    return [("transaction: base, calldata, payout", needed - steps), ("refunded", used - needed)]


def render_runs(out: Console, results: list[dict[str, Any]]) -> None:
    """Show how each run ended, why, and where its story stands."""
    for item in results:
        colour = "green" if item["outcome"] == "landed" else "yellow"
        why = f": {item['detail']}" if item["detail"] else ""
        out.print(Text.assemble((item["strategy"], "bold"), " ", (item["outcome"], colour), why))
        if item["reason"] is not None:
            out.print(f"  {'reason:':<13}{item['reason']}: {item['meaning']}")
        out.print(
            f"  {'decided:':<13}at block {item['decided_at_block']}, chain time "
            f"{utc(item['chain_time_s'])} ({item['world']})"
        )
        if item.get("transaction"):
            out.print(f"  {'transaction:':<13}{item['transaction']} in block {item['block']}")
            value = format_usd(item["value_after_gas_usd_e6"])
            out.print(f"  {'gas:':<13}{item['gas_used']:,}, value after gas {value}")
        for label, text in (("hint:", item.get("hint")), ("next:", item["next"])):
            if text is not None:
                out.print(f"  {label:<13}{text}")
