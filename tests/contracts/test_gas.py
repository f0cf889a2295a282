"""Gas on the exact world: inside every budget, and not 3 % over what was recorded."""

import pytest
from bench.atomic_gas import BUDGETS, PUBLISHED, run
from tests.contracts.record import GasRecord, gas_fields, recorded_gas

SNAPSHOTS = recorded_gas().figures
FIELDS = {
    "step_guarded", "step_capture", "step_patch", "rule_first", "rule_next", "read", "check", "load", "math",
    "calldata_step", "approve", "run_fixed", "line_erc20", "flash_wrap_own", "flash_wrap_all",
    "runtime_bytes",
}  # fmt: skip
"""Of ``specs/atomic.md`` 15, word for word but for the space in the last."""


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


def test_every_field_of_the_specification_is_printed_and_has_its_budget(result):
    assert result.keys() >= FIELDS
    assert BUDGETS.keys() == FIELDS | {"approve_zero_after"}


def test_the_published_figures_of_others_stand_beside_ours(result):
    assert result["published"] == dict(PUBLISHED)
    assert result["step_guarded"] < PUBLISHED["bundler3_step"] < PUBLISHED["executooor_step"]


def test_the_figures_change_only_with_a_reason():
    record = GasRecord({"step": 100, "old": 1})
    assert record.with_figures({"step": 100, "old": 1}, "") == record
    with pytest.raises(ValueError, match="the gas of new, old, step has changed: say why"):
        record.with_figures({"step": 101, "new": 7}, " ")
    changed = record.with_figures({"step": 101, "new": 7}, "a check more ")
    assert changed.figures == {"step": 101, "new": 7}
    (change,) = changed.changes
    assert change.because == "a check more"
    assert change.changed == {"new": (None, 7), "old": (1, None), "step": (100, 101)}
    assert len(changed.with_figures({"step": 99, "new": 7}, "and one less").changes) == 2


def test_every_change_that_is_recorded_has_its_reason_and_leads_to_the_next():
    assert all(change.because and change.changed for change in recorded_gas().changes)
    for change in recorded_gas().changes[-1:]:
        assert all(SNAPSHOTS.get(field) == after for field, (_, after) in change.changed.items())


def test_the_loan_is_explained_by_its_parts(result):
    parts = ("own", "memory", "repayment", "lender")
    assert sum(result[f"flash_wrap_{part}"] for part in parts) == result["flash_wrap_all"]
    assert min(result[f"flash_wrap_{part}"] for part in parts) > 0


def test_the_peer_is_measured_in_the_same_run(result):
    assert 0 < result["multisend_step"] < result["step_guarded"]
    assert result["ratio"] == round(result["multisend_step"] / result["step_guarded"], 3)
    assert result["within_budgets"]
