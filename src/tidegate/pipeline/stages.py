"""The one table of what differs between stages. Everything else is the same code.

``docs/reference/stages.md`` is generated from here.
"""

from __future__ import annotations

import msgspec

from tidegate.model import Denied, Reason, Stage

THROW_AWAY = "a throw-away key"


class StageRules(msgspec.Struct, frozen=True):
    """What a stage is: where its events come from, where its plans run, who signs and sends.

    ``walks`` says whether this version of the pipeline can walk the stage at all: a stage
    that is not walked is refused, whatever else its row says.
    """

    stage: Stage
    events_from: str
    plans_run_on: str
    signs_with: str
    sends_to: str
    to_enter: str
    walks: bool

    @property
    def signs(self) -> bool:
        """Say whether a transaction is signed in this stage."""
        return self.signs_with != "nothing"


_ROWS = (
    StageRules(Stage.BACKTEST, "a tape", "a fill model", "nothing", "nothing", "-", walks=True),
    StageRules(
        Stage.PAPER,
        "a live feed or the market simulator",
        "a node of ours",
        THROW_AWAY,
        "our node",
        "backtest evidence",
        walks=True,
    ),
    StageRules(
        Stage.FORK,
        "pinned and rolling forks",
        "a forked node of ours",
        THROW_AWAY,
        "the fork",
        "paper evidence",
        walks=True,
    ),
    StageRules(
        Stage.SHADOW,
        "the live chain",
        "the live head, simulated",
        "nothing",
        "nothing",
        "fork evidence",
        walks=True,
    ),
    StageRules(
        Stage.CANARY,
        "the live chain",
        "the live chain, capped small",
        "the signer process",
        "the chain",
        "shadow evidence, sign-offs, drills",
        walks=False,
    ),
    StageRules(
        Stage.PRODUCTION,
        "the live chain",
        "the live chain, capped",
        "the signer process",
        "the chain",
        "canary evidence, sign-offs",
        walks=False,
    ),
)

STAGES: dict[Stage, StageRules] = {row.stage: row for row in _ROWS}


def rules_of(stage: Stage) -> StageRules:
    """Return the row of ``stage`` if the street can be walked in it.

    Raises
    ------
    Denied
        ``stage``: the stage needs a capability or a context that does not exist yet.
    """
    rules = STAGES[stage]
    if not rules.walks:
        raise Denied(
            Reason.STAGE,
            f"stage {stage.value} can not be entered",
            found=f"{stage.value}: needs {rules.to_enter}",
            allowed=", ".join(row.stage.value for row in _ROWS if row.walks),
            fix="live is refused by default; it needs a capability that only the gate issues",
        )
    return rules


def demand_hands(rules: StageRules, *, has_signer: bool, has_fate: bool) -> None:
    """Refuse hands that a stage must not have, or lacks.

    Raises
    ------
    Denied
        ``stage``: a stage that signs has a signer and no fate, one that does not has a fate and no signer.
    """
    if has_signer is rules.signs and has_fate is not rules.signs:
        return
    raise Denied(
        Reason.STAGE,
        f"stage {rules.stage.value} signs with {rules.signs_with}",
        found=("a signer" if has_signer else "no signer") + (" and a fate" if has_fate else ""),
        allowed="a signer" if rules.signs else "a fate and no signer",
    )
