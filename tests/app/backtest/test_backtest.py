"""The backtest of the atomic desk over a recorded devnet."""

from collections import Counter

import msgspec
import pytest

from tidegate.app.backtest import About
from tidegate.app.backtest.gas import GasProfile
from tidegate.ledger import (
    AuthorisationBody,
    BookingBody,
    DecisionBody,
    IntentBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    SimulationBody,
)
from tidegate.model import ConfigError, OutcomeKind, Plan, RecordKind, Stage
from tidegate.sim import Measured, Tape, TapeBlock

WALK = [
    "intent",
    "limits",
    "plan",
    "guards",
    "simulation",
    "bounds",
    "authorisation",
    "receipt",
    "guards",
    "booking",
    "outcome",
]
"""The street without what the stage table takes out of it: nonce, signature, send."""


def runs(journal):
    """Return the records of each intent by its id, in order."""
    found = {}
    for record in journal.records():
        if record.correlation_id:
            found.setdefault(record.correlation_id, []).append(record)
    return found


def body_of(records, body):
    return next(body.from_body(record.body) for record in records if record.kind is body.KIND)


def test_it_walks_the_street_and_signs_and_sends_nothing(usual, reader):
    summary, path = usual
    journal = reader(path)
    landed = [
        records
        for records in runs(journal).values()
        if body_of(records, OutcomeBody).kind is OutcomeKind.LANDED
    ]
    assert len(landed) == summary["strategies"]["v2-v3-arb"]["landed"] > 0
    assert all([record.kind.value for record in records] == WALK for records in landed)
    kinds = {record.kind for record in journal.records()}
    assert not kinds & {RecordKind.NONCE, RecordKind.SIGNATURE, RecordKind.SENT}
    for records in landed:
        assert body_of(records, IntentBody).stage is Stage.BACKTEST
        assert body_of(records, AuthorisationBody).signs_with == "nothing"


def test_the_same_tape_and_configuration_give_the_same_journal_byte_for_byte(
    tape, backtest, reader, tmp_path
):
    tape.save(tmp_path / "tape")
    journals = [reader(backtest(one, salt="s")[1]) for one in (tape, Tape.load(tmp_path / "tape"))]
    first, second = ([msgspec.json.encode(record) for record in one.records()] for one in journals)
    assert first == second
    assert len(first) > 100


def test_every_record_bears_the_time_of_the_tape(tape, usual, reader):
    _, path = usual
    times = {record.at_ms for record in reader(path).records()}
    assert times <= {one.block.timestamp * 1000 for one in tape.blocks}


def test_it_decides_at_every_block_and_fills_as_many_blocks_later_as_the_latency_says(tape, backtest, reader):
    for latency in (0, 2):
        _, path = backtest(tape, latency_blocks=latency)
        journal = reader(path)
        decided = [
            DecisionBody.from_body(record.body).block for record in journal.records(kind=RecordKind.DECISION)
        ]
        assert decided == [one.block.number for one in tape.blocks]
        filled = Counter(
            body_of(records, ReceiptBody).block_number - body_of(records, SimulationBody).block_number
            for records in runs(journal).values()
            if any(record.kind is RecordKind.RECEIPT for record in records)
        )
        assert set(filled) == {latency}


def test_rivals_on_the_tape_take_what_waits(tape, usual, backtest):
    now, _ = backtest(tape, latency_blocks=0)
    later, _ = usual
    now, later = (one["strategies"]["v2-v3-arb"] for one in (now, later))
    assert now["reverted"] == 0, "on the state that it was decided on every plan holds"
    assert later["reverted"] > 0
    assert later["value_after_gas_usd_e6"] < now["value_after_gas_usd_e6"]


def test_gas_comes_from_the_profile_and_is_priced_at_the_base_fee_of_its_block(tape, usual, reader):
    _, path = usual
    blocks = {one.block.number: one for one in tape.blocks}
    profile = GasProfile(tape, {"v2-v3-arb": 0})
    seen = 0
    for records in runs(reader(path)).values():
        if not any(record.kind is RecordKind.RECEIPT for record in records):
            continue
        receipt, plan = body_of(records, ReceiptBody), body_of(records, PlanBody)
        booking = body_of(records, BookingBody)
        block = blocks[receipt.block_number].block
        assert receipt.gas_used == profile.at("v2-v3-arb", block.number).gas_used > 0
        tip = min(plan.max_priority_fee_wei, plan.max_fee_wei - block.base_fee_wei)
        assert booking.gas_cost_wei == receipt.gas_used * (block.base_fee_wei + tip)
        seen += 1
    assert seen > 0


def test_a_simulation_tells_no_gas_by_step_because_the_fast_world_can_not(usual, reader):
    _, path = usual
    simulations = [
        SimulationBody.from_body(record.body) for record in reader(path).records(kind=RecordKind.SIMULATION)
    ]
    assert simulations
    assert all(one.gas_by_step == () for one in simulations)


def test_what_the_tape_does_not_end_is_dropped_and_said(tape, backtest, reader):
    decides = [one.block.number for one in tape.blocks if one.measured]
    cut = [one for one in tape.blocks if one.block.number <= decides[-1]]
    short = msgspec.structs.replace(tape, blocks=tuple(cut))
    _, path = backtest(short)
    last = list(runs(reader(path)).values())[-1]
    outcome = body_of(last, OutcomeBody)
    assert outcome.kind is OutcomeKind.DROPPED
    assert "tape ends" in outcome.detail


def test_a_plan_whose_deadline_passes_on_the_tape_is_dropped(tape, backtest, reader):
    _, path = backtest(tape, latency_blocks=10)
    outcomes = [OutcomeBody.from_body(one.body) for one in reader(path).records(kind=RecordKind.OUTCOME)]
    assert any("deadline" in one.detail for one in outcomes if one.kind is OutcomeKind.DROPPED)
    assert all(one.kind is not OutcomeKind.LANDED for one in outcomes)


def test_a_block_whose_base_fee_is_above_the_plan_s_takes_nothing(tape, usual, backtest, reader):
    _, path = usual
    before = next(
        records
        for records in runs(reader(path)).values()
        if body_of(records, OutcomeBody).kind is OutcomeKind.LANDED
    )
    taken = body_of(before, ReceiptBody).block_number
    blocks = [
        msgspec.structs.replace(one, block=msgspec.structs.replace(one.block, base_fee_wei=10**12))
        if one.block.number == taken
        else one
        for one in tape.blocks
    ]
    _, path = backtest(msgspec.structs.replace(tape, blocks=tuple(blocks)), latency_blocks=1)
    again = runs(reader(path))[before[0].correlation_id]
    assert body_of(again, ReceiptBody).block_number == taken + 1


def test_a_strategy_that_reads_what_is_not_on_the_tape_is_refused_by_the_slot_s_name(tape, backtest):
    with pytest.raises(ConfigError) as caught:
        backtest(tape, names=("leverage-open", "v3-v2-arb"))
    assert caught.value.code == "not_on_tape"
    assert "slot 0x" in (caught.value.found or "") or "account 0x" in (caught.value.found or "")


@pytest.mark.parametrize("latency", [-1, 11])
def test_the_latency_is_0_to_10_blocks(tape, backtest, latency):
    with pytest.raises(ConfigError, match="latency"):
        backtest(tape, latency_blocks=latency)


def test_an_empty_tape_or_no_strategy_is_refused(tape, backtest):
    with pytest.raises(ConfigError, match="no strategy"):
        backtest(tape, names=())
    with pytest.raises(ConfigError, match="empty"):
        backtest(msgspec.structs.replace(tape, blocks=()))


def test_a_tape_of_something_else_is_refused():
    with pytest.raises(ConfigError, match="not one of the atomic desk"):
        About.of(Tape(1, 12, {"source": "a test"}, {}, ()))


def test_the_journal_does_not_give_the_blinds_away(tape, backtest):
    salted, other = (backtest(tape, salt=salt)[1] for salt in ("a", "b"))
    assert salted.read_bytes() != other.read_bytes()


def test_the_profile_takes_the_newest_measure_so_far_else_the_first_else_the_most_allowed(tape):
    def block(place, *measured):
        one = tape.blocks[place]
        return TapeBlock(one.block, {}, {}, measured)

    first = tape.blocks[0].block.number
    made = Tape(
        1, 12, {}, {}, (block(0), block(1, Measured("a", 10, 11)), block(2), block(3, Measured("a", 20, 21)))
    )
    profile = GasProfile(made, {"a": 99, "b": 77})
    assert [profile.at("a", first + place).gas_used for place in range(5)] == [10, 10, 10, 20, 20]
    assert profile.at("b", first) == Measured("b", 77, 77)
    assert (profile.source("a"), profile.source("b")) == ("measured", "max_gas")


def test_plans_of_a_backtest_are_bytes_that_could_be_signed(usual, reader):
    _, path = usual
    plans = [PlanBody.from_body(one.body).plan() for one in reader(path).records(kind=RecordKind.PLAN)]
    assert plans
    assert all(isinstance(plan, Plan) and plan.gas_limit > 0 and plan.data for plan in plans)
