import pytest

from tidegate.model import (
    Denied,
    Reason,
    Stage,
)
from tidegate.pipeline import STAGES, rules_of


@pytest.mark.parametrize("stage", list(Stage))
def test_only_stages_that_are_walked_can_be_entered(stage: Stage) -> None:
    if stage in {Stage.PAPER, Stage.FORK}:
        assert rules_of(stage).stage is stage
        return
    with pytest.raises(Denied, match="can not be entered") as caught:
        rules_of(stage)
    assert caught.value.reason is Reason.STAGE


def test_every_stage_has_a_row_and_only_own_nodes_are_sent_to() -> None:
    assert list(STAGES) == list(Stage)
    assert {row.sends_to for row in STAGES.values() if row.walks} == {"our node", "the fork"}
