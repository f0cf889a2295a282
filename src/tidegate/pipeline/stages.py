"""The one table of what differs between stages. Everything else is the same code.

``docs/reference/stages.md`` is generated from here.
"""

from __future__ import annotations

import msgspec

from tidegate.chain import NetworkKind, Sender
from tidegate.model import Denied, Reason, RecordKind, Stage

THROW_AWAY = "a throw-away key"
SIGNER = "the signer process"


class StageRules(msgspec.Struct, frozen=True):
    """What a stage is: where its events come from, where its plans run, who signs and sends."""

    stage: Stage
    events_from: str
    plans_run_on: str
    signs_with: str
    sends_to: str
    to_enter: str

    @property
    def signs(self) -> bool:
        """Say whether a transaction is signed in this stage."""
        return self.signs_with != "nothing"

    @property
    def is_live(self) -> bool:
        """Say whether value is at stake: then only a signer that holds a capability may sign."""
        return self.signs_with == SIGNER


_ROWS = (
    StageRules(Stage.BACKTEST, "a tape", "a fill model", "nothing", "nothing", "-"),
    StageRules(
        Stage.PAPER,
        "a live feed or the market simulator",
        "a node of ours",
        THROW_AWAY,
        "our node",
        "backtest evidence",
    ),
    StageRules(
        Stage.FORK,
        "pinned and rolling forks",
        "a forked node of ours",
        THROW_AWAY,
        "the fork",
        "paper evidence",
    ),
    StageRules(
        Stage.SHADOW,
        "the live chain",
        "the live head, simulated",
        "nothing",
        "nothing",
        "fork evidence",
    ),
    StageRules(
        Stage.CANARY,
        "the live chain",
        "the live chain, capped small",
        SIGNER,
        "the chain",
        "shadow evidence, sign-offs, drills",
    ),
    StageRules(
        Stage.PRODUCTION,
        "the live chain",
        "the live chain, capped",
        SIGNER,
        "the chain",
        "canary evidence, sign-offs",
    ),
)

MAY_DIFFER: dict[RecordKind, frozenset[str]] = {
    RecordKind.INTENT: frozenset({"stage"}),
    RecordKind.AUTHORISATION: frozenset({"stage"}),
    RecordKind.RECEIPT: frozenset({"block_hash"}),
}
"""The fields in which the walks of paper and of fork may differ for the same market, by kind of record.

A fork's blocks have other parents, so their hashes differ; everything that was decided, planned, simulated,
signed, sent, included and booked is the same to the byte.
"""

STAGES: dict[Stage, StageRules] = {row.stage: row for row in _ROWS}


def rules_of(stage: Stage) -> StageRules:
    """Return the row of ``stage``."""
    return STAGES[stage]


def demand_hands(rules: StageRules, *, sender: Sender | None, has_fate: bool) -> None:
    """Refuse hands that a stage must not have, or lacks.

    Raises
    ------
    Denied
        ``stage``: a stage that signs has a sender and no fate, one that does not has a fate and no sender;
        a throw-away key signs where no value is at stake, and on no mainnet but a fork of it.
        ``capability``: a live stage signs under a capability alone.
    """
    has_sender = sender is not None
    if has_sender is not rules.signs or has_fate is rules.signs:
        raise Denied(
            Reason.STAGE,
            f"stage {rules.stage.value} signs with {rules.signs_with}",
            found=("a sender" if has_sender else "no sender") + (" and a fate" if has_fate else ""),
            allowed="a sender" if rules.signs else "a fate and no sender",
        )
    if sender is None:
        return
    if rules.is_live and not sender.capability_id:
        raise Denied(
            Reason.CAPABILITY,
            f"stage {rules.stage.value} signs under a capability alone",
            found="a key without a capability",
            allowed="the signer process, with a capability for this desk, chain and stage",
            fix="live is refused by default; it needs a capability that only the gate issues",
        )
    if rules.is_live or rules.stage is Stage.FORK:
        return
    if sender.capability_id or sender.network.kind is NetworkKind.MAINNET:
        raise Denied(
            Reason.STAGE,
            f"stage {rules.stage.value} signs with {rules.signs_with}, where no value is at stake",
            found=f"{sender.network.name}, a {sender.network.kind.value}"
            + (", under a capability" if sender.capability_id else ""),
            allowed="a devnet or testnet, without a capability",
        )
