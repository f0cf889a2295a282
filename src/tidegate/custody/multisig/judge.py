"""Whether a proposal may be signed: right Safe, right nonce, known targets, no hidden delegate call."""

from __future__ import annotations

from collections.abc import Collection

from tidegate.custody.multisig.proposal import Proposal
from tidegate.custody.multisig.state import SafeFinding, SafeState
from tidegate.model import Address, ConfigError
from tidegate.venues.safe import CALL, SafeCall

Target = tuple[Address, bytes]
"""An account and the 4-byte selector of one of its functions; empty for a plain transfer."""


def judge_proposal(
    proposal: Proposal, state: SafeState, *, chain_id: int, targets: Collection[Target]
) -> tuple[SafeFinding, ...]:
    """Hold a proposal against the Safe's state and the list of what it may call.

    A batch is opened: each call inside must be on the list. The Safe itself is a target like any
    other, so that nobody adds an owner in a batch of something else.
    """
    transaction = proposal.transaction
    strangers = [owner for owner in proposal.signatures if owner not in state.owners]
    try:
        calls = transaction.calls
        delegates = [call for call in calls if call.operation != CALL]
        unknown = [_shown(call) for call in calls if _target(call) not in targets]
        what = f"{len(calls)} call" + ("" if len(calls) == 1 else "s")
    except ConfigError as error:
        calls, delegates, unknown, what = (), [], [str(error)], "a batch that can not be read"
    return (
        SafeFinding("chain", transaction.chain_id == chain_id, str(transaction.chain_id), str(chain_id)),
        SafeFinding("safe", transaction.safe == state.safe, transaction.safe, state.safe),
        SafeFinding(
            "nonce",
            transaction.nonce == state.nonce,
            str(transaction.nonce),
            f"{state.nonce}, the Safe's next",
        ),
        SafeFinding(
            "delegate call",
            not delegates and bool(calls),
            f"{len(delegates)} delegate calls in {what}",
            "none but to the canonical MultiSend",
        ),
        SafeFinding(
            "targets",
            not unknown,
            ", ".join(unknown) or f"{what}, all on the list",
            "calls on the list alone",
        ),
        SafeFinding(
            "signatures",
            not strangers,
            ", ".join(strangers) or f"{len(proposal.signatures)} of {state.threshold}",
            "owners of this Safe",
        ),
    )


def _target(call: SafeCall) -> Target:
    return call.to, call.data[:4]


def _shown(call: SafeCall) -> str:
    return f"{call.to} {'0x' + call.data[:4].hex() if call.data else 'transfer'}"
