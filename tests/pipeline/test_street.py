import asyncio
from collections.abc import Callable

import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, content_of, guard, intent, nonce_of
from tests.pipeline.harness import WHOLE_STREET, key_of_tests, kinds, street_of

from tidegate.ledger import Journal
from tidegate.model import (
    Block,
    ConfigError,
    Denied,
    Divergence,
    Halted,
    OutcomeKind,
    Reason,
    RecordKind,
    Rejected,
    Tampered,
    Unavailable,
)


def test_every_arrow_writes_its_record_in_order(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    street = street_of(journal, chain, desk)
    assert asyncio.run(street.submit(intent())) is None
    assert asyncio.run(street.follow()) == []
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert (outcome.kind, outcome.deltas, outcome.gas_cost_wei) == (OutcomeKind.LANDED, (7,), 360_000)
    assert kinds(journal) == WHOLE_STREET
    assert street.open_runs == ()


def test_the_same_intent_twice_is_walked_once(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    assert asyncio.run(street.submit(intent())) is None
    chain.mine()
    asyncio.run(street.follow())
    again = asyncio.run(street.submit(intent()))
    assert again is not None
    assert again.kind is OutcomeKind.LANDED
    assert (desk.planned, chain.sends) == (1, 1)


def _desk_refuses(chain: FakeChain, desk: FakeDesk) -> None:
    desk.refusal = Denied(Reason.FLASH_LIQUIDITY, "no lender")


def _guard_fails(chain: FakeChain, desk: FakeDesk) -> None:
    desk.guards = (guard(passed=True), guard(passed=False))


def _reverts(chain: FakeChain, desk: FakeDesk) -> None:
    chain.rehearsal_ok = False


def _probe_fails(chain: FakeChain, desk: FakeDesk) -> None:
    chain.probe_answer = b"failed"


def _logs_disagree(chain: FakeChain, desk: FakeDesk) -> None:
    desk.reader.logs_delta = 8


def _short(chain: FakeChain, desk: FakeDesk) -> None:
    desk.reader.delta = desk.reader.logs_delta = 4


def _needs_more_gas(chain: FakeChain, desk: FakeDesk) -> None:
    chain.gas_needed = 100_001


def _too_late(chain: FakeChain, desk: FakeDesk) -> None:
    chain.time_s = 1_000


@pytest.mark.parametrize(
    ("change", "reason", "rests_on"),
    [
        (_desk_refuses, Reason.FLASH_LIQUIDITY, RecordKind.LIMITS),
        (_guard_fails, Reason.GUARD_FAILED, RecordKind.GUARDS),
        (_reverts, Reason.SIMULATION_REVERTED, RecordKind.SIMULATION),
        (_probe_fails, Reason.SIM_MISMATCH, RecordKind.SIMULATION),
        (_logs_disagree, Reason.SIM_MISMATCH, RecordKind.SIMULATION),
        (_short, Reason.BOUNDS, RecordKind.BOUNDS),
        (_needs_more_gas, Reason.GAS_CAP, RecordKind.SIMULATION),
        (_too_late, Reason.DEADLINE_PASSED, RecordKind.INTENT),
    ],
)
def test_a_refusal_ends_as_denied_and_nothing_leaves(
    journal: Journal,
    chain: FakeChain,
    desk: FakeDesk,
    change: Callable[[FakeChain, FakeDesk], None],
    reason: Reason,
    rests_on: RecordKind,
) -> None:
    change(chain, desk)
    outcome = asyncio.run(street_of(journal, chain, desk).submit(intent()))
    assert outcome is not None
    assert (outcome.kind, outcome.reason) == (OutcomeKind.DENIED, reason)
    assert chain.sends == 0
    assert RecordKind.SIGNATURE not in kinds(journal)
    assert kinds(journal)[-2:] == [rests_on, RecordKind.OUTCOME], "a refusal stands behind what it rests on"


def test_a_guard_that_only_warns_lets_the_plan_pass(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.guards = (guard(passed=False, on_failure="warn"),)
    assert asyncio.run(street_of(journal, chain, desk).submit(intent())) is None
    assert chain.sends == 1


def test_a_limit_without_room_denies_and_frees_nothing_else(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=1)
    asyncio.run(street.submit(intent("one")))
    refused = asyncio.run(street.submit(intent("two")))
    assert refused is not None
    assert refused.reason is Reason.LIMIT
    still_refused = asyncio.run(street.submit(intent("three")))
    assert still_refused is not None, "a refused intent must not free the place of the open one"
    chain.mine()
    asyncio.run(street.follow())
    assert asyncio.run(street.submit(intent("four"))) is None


def test_a_node_that_refuses_the_bytes_ends_as_rejected(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    chain.on_send = Rejected("fee below base fee")
    outcome = asyncio.run(street_of(journal, chain, desk).submit(intent()))
    assert outcome is not None
    assert outcome.kind is OutcomeKind.REJECTED


def test_two_intents_take_two_nonces(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    street = street_of(journal, chain, desk, max_in_flight=2)
    for name in ("one", "two"):
        asyncio.run(street.submit(intent(name)))
    assert [run.nonce for run in street.open_runs] == [0, 1]


def slow_blocks(chain: FakeChain) -> None:
    """Let other tasks run whenever the chain is asked for its head."""
    real = chain.block

    async def block() -> Block:
        await asyncio.sleep(0)
        return await real()

    chain.block = block  # type: ignore[method-assign]


@pytest.mark.parametrize("in_flight", [1, 2])
def test_the_same_intent_at_the_same_time_is_walked_once(
    journal: Journal, chain: FakeChain, desk: FakeDesk, in_flight: int
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=in_flight)
    slow_blocks(chain)

    async def both() -> list[object]:
        return list(await asyncio.gather(street.submit(intent()), street.submit(intent())))

    assert asyncio.run(both()) == [None, None]
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    assert kinds(journal) == WHOLE_STREET


@pytest.mark.parametrize(
    "error",
    [Tampered("code hash"), ConfigError("file"), KeyError("DAI"), Divergence("state"), Halted("paused")],
)
def test_an_error_before_the_signature_ends_the_intent_and_blocks_no_other(
    journal: Journal, chain: FakeChain, desk: FakeDesk, error: Exception
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=1)
    desk.breaks = error
    with pytest.raises(type(error)):
        asyncio.run(street.submit(intent("one")))
    assert kinds(journal)[-1] is RecordKind.OUTCOME
    desk.breaks = None
    assert asyncio.run(street.submit(intent("two"))) is None


def test_a_node_that_would_not_rehearse_the_plan_denies_it(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.breaks = Rejected("gas limit below intrinsic gas")
    outcome = asyncio.run(street_of(journal, chain, desk).submit(intent()))
    assert outcome is not None
    assert outcome.reason is Reason.SIMULATION_REVERTED


def test_bytes_whose_signature_could_not_be_journaled_are_never_sent(
    journal: Journal, chain: FakeChain, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    street = street_of(journal, chain, desk)
    real = journal.append_and_wait

    async def full(kind: RecordKind, *arguments: object, **named: object) -> object:
        if kind is RecordKind.SIGNATURE:
            raise Unavailable("disk full")
        return await real(kind, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(journal, "append_and_wait", full)
    outcome = asyncio.run(street.submit(intent()))
    assert outcome is not None
    assert outcome.reason is Reason.UNAVAILABLE
    monkeypatch.undo()
    asyncio.run(street.follow())
    (cancel,) = chain.mempool.values()
    assert (nonce_of(cancel), content_of(cancel)) == (0, (key_of_tests().address, b"")), (
        "its nonce is used up"
    )


def test_a_run_that_may_lose_more_than_the_day_allows_is_not_signed(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.at_risk_usd_e6 = 6
    street = street_of(journal, chain, desk, max_loss_per_day_usd_e6=10, max_in_flight=9)
    assert asyncio.run(street.submit(intent("one"))) is None
    refused = asyncio.run(street.submit(intent("two")))
    assert refused is not None, "6 are at risk already, and 6 more would be 12"
    assert (refused.reason, chain.sends) == (Reason.LIMIT, 1)
    assert kinds(journal, "two")[-2:] == [RecordKind.PLAN, RecordKind.OUTCOME]
    desk.at_risk_usd_e6 = 4
    assert asyncio.run(street.submit(intent("three"))) is None, "together just what is allowed"
    chain.mine()
    asyncio.run(street.follow())
    desk.at_risk_usd_e6 = 10
    assert asyncio.run(street.submit(intent("four"))) is None, "what landed without loss is free again"
