"""A plan that comes back out of the ledger is the plan that went in, or nobody follows it."""

from __future__ import annotations

import msgspec
import pytest

from tidegate.ledger import PlanBody
from tidegate.model import Tampered

from .walks import a_plan, an_intent


def test_a_plan_comes_back_with_its_digest() -> None:
    plan = a_plan(an_intent())
    assert PlanBody.from_body(PlanBody.of(plan).to_body()).plan() == plan


@pytest.mark.parametrize("change", [{"data": "0x00"}, {"value_wei": 1}, {"chain_id": 1}])
def test_a_recorded_plan_whose_bytes_do_not_give_its_digest_is_not_followed(
    change: dict[str, object],
) -> None:
    body = msgspec.structs.replace(PlanBody.of(a_plan(an_intent())), **change)
    with pytest.raises(Tampered, match="does not give its digest"):
        body.plan()
