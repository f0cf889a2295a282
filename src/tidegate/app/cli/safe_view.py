"""How Safes and proposals look: as plain data for machines, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from tidegate.chain import hex_data
from tidegate.custody.multisig import Proposal, SafeFinding, SafeState


def state_record(state: SafeState) -> dict[str, Any]:
    """Return a Safe's state as plain data."""
    return dict(msgspec.to_builtins(state))


def findings_record(findings: Iterable[SafeFinding]) -> list[dict[str, Any]]:
    """Return findings as plain data."""
    return [msgspec.to_builtins(finding) for finding in findings]


def proposal_record(proposal: Proposal, state: SafeState) -> dict[str, Any]:
    """Return a proposal as plain data, with its state for a Safe."""
    transaction = proposal.transaction
    return {
        "safe": transaction.safe,
        "chain_id": transaction.chain_id,
        "nonce": transaction.nonce,
        "hash": hex_data(proposal.hash),
        "state": proposal.state(state.threshold),
        "reason": proposal.reason,
        "calls": [
            {"to": call.to, "value_wei": str(call.value_wei), "data": hex_data(call.data)}
            for call in transaction.calls
        ],
        "signed_by": list(proposal.signatures),
        "executed_in": proposal.executed_in,
    }


def render_show(out: Console, value: dict[str, Any], findings: Iterable[SafeFinding]) -> None:
    """Print a Safe with what was found, and the proposal if there is one."""
    safe = value["safe"]
    out.print(f"Safe {safe['safe']} {safe['version']}, at block {safe['at_block']}, nonce {safe['nonce']}")
    out.print(f"  {safe['threshold']} of {len(safe['owners'])}: {', '.join(safe['owners'])}")
    render_findings(out, findings)
    if "proposal" in value:
        render_proposal(out, value["proposal"], "")


def render_findings(out: Console, findings: Iterable[SafeFinding]) -> None:
    """Print a line for each demand."""
    for finding in findings:
        mark = Text("  well  ", "green") if finding.ok else Text("  wrong ", "bold red")
        allowed = "" if finding.ok else f" (allowed: {finding.allowed})"
        out.print(mark, Text(f"{finding.check}: {finding.found}{allowed}"))


def render_proposal(out: Console, value: dict[str, Any], path: str) -> None:
    """Print a proposal: its calls, who signed, and the hash to sign."""
    out.print(
        f"{value['state']}: nonce {value['nonce']} of {value['safe']}" + (f" in {path}" if path else "")
    )
    if value["reason"]:
        out.print(f"  reason: {value['reason']}")
    for call in value["calls"]:
        shown = (
            call["data"]
            if len(call["data"]) <= 74
            else f"{call['data'][:74]}… ({len(call['data']) // 2 - 1} bytes)"
        )
        out.print(f"  calls {call['to']} with {call['value_wei']} wei: {shown}")
    for owner in value["signed_by"]:
        out.print(f"  signed by {owner}")
    out.print(f"  hash to sign: {value['hash']}")
