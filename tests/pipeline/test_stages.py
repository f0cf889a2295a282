import pytest

from tidegate.model import (
    Denied,
    Reason,
    Stage,
)
from tidegate.pipeline import STAGES, rules_of
from tidegate.pipeline.stages import demand_hands


@pytest.mark.parametrize("stage", list(Stage))
def test_only_stages_that_are_walked_can_be_entered(stage: Stage) -> None:
    if stage in {Stage.BACKTEST, Stage.PAPER, Stage.FORK, Stage.SHADOW}:
        assert rules_of(stage).stage is stage
        return
    with pytest.raises(Denied, match="can not be entered") as caught:
        rules_of(stage)
    assert caught.value.reason is Reason.STAGE


def test_every_stage_has_a_row_and_only_own_nodes_are_sent_to() -> None:
    assert list(STAGES) == list(Stage)
    assert {row.sends_to for row in STAGES.values() if row.walks} == {"nothing", "our node", "the fork"}


@pytest.mark.parametrize("stage", list(Stage))
def test_a_stage_that_signs_nothing_never_holds_a_signer(stage: Stage) -> None:
    rules = STAGES[stage]
    demand_hands(rules, has_signer=rules.signs, has_fate=not rules.signs)
    for has_signer, has_fate in ((True, True), (False, False), (not rules.signs, rules.signs)):
        with pytest.raises(Denied, match="signs with") as caught:
            demand_hands(rules, has_signer=has_signer, has_fate=has_fate)
        assert caught.value.reason is Reason.STAGE
