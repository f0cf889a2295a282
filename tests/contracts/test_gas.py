"""Gas on the exact world: inside every budget, and not 3 % over what was recorded."""

import json

import pytest
from bench.atomic_gas import BUDGETS, run
from tests.contracts.record import SNAPSHOT, gas_fields

SNAPSHOTS = json.loads(SNAPSHOT.read_text())


@pytest.fixture(scope="module")
def result():
    return run()


@pytest.mark.parametrize("field", BUDGETS)
def test_each_budget_holds(result, field):
    assert 0 < result[field] <= BUDGETS[field]


@pytest.mark.parametrize("field", SNAPSHOTS)
def test_nothing_became_three_percent_dearer(result, field):
    assert result[field] * 100 <= SNAPSHOTS[field] * 103


def test_the_snapshot_has_every_field(result):
    assert gas_fields(result).keys() == SNAPSHOTS.keys() > BUDGETS.keys()


def test_the_loan_is_explained_by_its_parts(result):
    parts = ("own", "memory", "repayment", "lender")
    assert sum(result[f"flash_wrap_{part}"] for part in parts) == result["flash_wrap_all"]
    assert min(result[f"flash_wrap_{part}"] for part in parts) > 0


def test_the_peer_is_measured_in_the_same_run(result):
    assert 0 < result["multisend_step"] < result["step_guarded"]
    assert result["ratio"] == round(result["multisend_step"] / result["step_guarded"], 3)
    assert result["within_budgets"]
