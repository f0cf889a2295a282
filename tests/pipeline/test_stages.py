from collections.abc import Callable

import pytest
from tests.pipeline.fakes import FakeChain

from tidegate.chain import NETWORKS, Network, Sender, devnet_network
from tidegate.custody import ThrowAwayKey
from tidegate.ledger import Journal
from tidegate.model import Denied, Reason, Stage
from tidegate.pipeline import STAGES, rules_of
from tidegate.pipeline.stages import demand_hands

MakeSender = Callable[..., Sender]


class CapableKey(ThrowAwayKey):
    """Stands for the signer process, as far as the street can tell: it names a capability."""

    capability_id = "ab" * 32


@pytest.fixture
def sender(journal: Journal, chain: FakeChain) -> MakeSender:
    def make(*, capable: bool, network: Network | None = None) -> Sender:
        key = CapableKey if capable else ThrowAwayKey
        signer = key("stages", stage=Stage.PAPER, chain_ids=frozenset({31337}))
        return Sender(signer=signer, chain=chain, journal=journal, network=network or devnet_network(31337))

    return make


def test_every_stage_has_a_row_and_can_be_walked() -> None:
    assert list(STAGES) == list(Stage)
    assert [rules_of(stage).stage for stage in Stage] == list(Stage)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_stage_that_signs_nothing_never_holds_a_signer(stage: Stage, sender: MakeSender) -> None:
    rules = STAGES[stage]
    right = sender(capable=rules.is_live) if rules.signs else None
    wrong = None if rules.signs else sender(capable=False)
    demand_hands(rules, sender=right, has_fate=not rules.signs)
    for hand, has_fate in ((right, rules.signs), (wrong, not rules.signs), (wrong, rules.signs)):
        with pytest.raises(Denied, match="signs with") as caught:
            demand_hands(rules, sender=hand, has_fate=has_fate)
        assert caught.value.reason is Reason.STAGE


@pytest.mark.parametrize("stage", [Stage.CANARY, Stage.PRODUCTION])
def test_a_live_stage_is_refused_to_a_key_without_a_capability(stage: Stage, sender: MakeSender) -> None:
    with pytest.raises(Denied, match="under a capability alone") as caught:
        demand_hands(STAGES[stage], sender=sender(capable=False), has_fate=False)
    assert caught.value.reason is Reason.CAPABILITY
    demand_hands(STAGES[stage], sender=sender(capable=True), has_fate=False)


def test_a_key_of_value_signs_nothing_in_paper(sender: MakeSender) -> None:
    with pytest.raises(Denied, match="where no value is at stake"):
        demand_hands(STAGES[Stage.PAPER], sender=sender(capable=True), has_fate=False)


@pytest.mark.parametrize(("stage", "refused"), [(Stage.PAPER, True), (Stage.FORK, False)])
def test_a_throw_away_key_signs_for_a_mainnet_on_a_fork_of_it_alone(
    stage: Stage, refused: bool, sender: MakeSender
) -> None:
    of_value = sender(capable=False, network=NETWORKS[1])
    if not refused:
        demand_hands(STAGES[stage], sender=of_value, has_fate=False)
        return
    with pytest.raises(Denied, match="a mainnet"):
        demand_hands(STAGES[stage], sender=of_value, has_fate=False)
