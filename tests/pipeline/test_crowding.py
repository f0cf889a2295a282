"""Many intents at once: one account one walk, a bounded line, deadlines for every step."""

import asyncio

import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, intent
from tests.pipeline.harness import kinds, street_of

from tidegate.ledger import Journal
from tidegate.model import Intent, Metric, Operation, Outcome, OutcomeKind, Plan, Reason, RecordKind
from tidegate.pipeline import Street, StreetSettings


class SlowDesk(FakeDesk):
    """A desk that plans when the test lets it, and says who plans at once."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.planning: set[str] = set()
        self.together: list[set[str]] = []

    async def plan(self, wanted: Intent) -> Plan:
        self.planning.add(wanted.id)
        self.together.append(set(self.planning))
        await self.gate.wait()
        self.planning.discard(wanted.id)
        return await super().plan(wanted)


class Counts:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.counted: list[tuple[Metric, float, dict[str, str]]] = []
        self.observed: list[tuple[Metric, dict[str, str]]] = []
        self.gauges: dict[Metric, float] = {}

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        self.counted.append((metric, amount, labels))

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        self.gauges[metric] = value

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        self.observed.append((metric, labels))


async def let_run(journal: Journal) -> None:
    """Let everyone go as far as they can: until nobody waits for the disk."""
    quiet = 0
    while quiet < 50:
        await asyncio.sleep(0)
        quiet = 0 if journal._waiters else quiet + 1


async def all_of(street: Street, wanted: list[Intent], desk: SlowDesk) -> list[Outcome | None]:
    walking = [asyncio.ensure_future(street.submit(one)) for one in wanted]
    await let_run(street._journal)
    desk.gate.set()
    return list(await asyncio.gather(*walking))


def test_intents_that_touch_one_venue_account_are_serialised_and_others_run_beside_them(
    journal: Journal, chain: FakeChain
) -> None:
    desk = SlowDesk()
    street = street_of(journal, chain, desk, max_in_flight=9)
    wanted = [
        intent("a", venues=("aave",)),
        intent("b", venues=("aave", "uniswap")),
        intent("c", venues=("balancer",)),
    ]
    assert asyncio.run(all_of(street, wanted, desk)) == [None, None, None]
    assert {"a", "c"} in desk.together
    assert not any({"a", "b"} <= planning for planning in desk.together)


def test_intents_that_name_no_venue_may_touch_the_same_account(journal: Journal, chain: FakeChain) -> None:
    desk = SlowDesk()
    street = street_of(journal, chain, desk, max_in_flight=9)
    asyncio.run(all_of(street, [intent("a", venues=()), intent("b", venues=())], desk))
    assert not any({"a", "b"} <= planning for planning in desk.together)


def test_a_full_line_denies_the_newest_that_is_no_exit_by_name_and_counts_it(
    journal: Journal, chain: FakeChain
) -> None:
    desk, counts = SlowDesk(), Counts()
    street = street_of(
        journal,
        chain,
        desk,
        settings=StreetSettings(walking_max=1, waiting_max=2),
        recorder=counts,
        max_in_flight=9,
    )
    wanted = [intent(name) for name in ("walks", "waits", "newest")]
    wanted.append(intent("too many"))
    wanted.append(intent("exit", operation=Operation.CLOSE))
    outcomes = asyncio.run(all_of(street, wanted, desk))
    ended = {one.id: outcome for one, outcome in zip(wanted, outcomes, strict=True)}
    for denied in ("newest", "too many"):
        outcome = ended[denied]
        assert outcome is not None
        assert (outcome.kind, outcome.reason) == (OutcomeKind.DENIED, Reason.OVERLOADED)
        assert kinds(journal, denied) == [RecordKind.INTENT, RecordKind.OUTCOME], "never in silence"
    assert [ended[name] for name in ("walks", "waits", "exit")] == [None, None, None]
    overloaded = [labels for metric, _, labels in counts.counted if metric is Metric.INTENTS]
    assert [labels["reason"] for labels in overloaded] == ["overloaded", "overloaded"]
    order = [record.correlation_id for record in journal.records(kind=RecordKind.LIMITS)]
    assert order == ["walks", "exit", "waits"], "exits go first"


def test_exits_are_never_turned_away(journal: Journal, chain: FakeChain) -> None:
    desk = SlowDesk()
    street = street_of(
        journal, chain, desk, settings=StreetSettings(walking_max=1, waiting_max=1), max_in_flight=9
    )
    wanted = [intent(f"exit{number}", operation=Operation.REDUCE) for number in range(4)]
    assert asyncio.run(all_of(street, wanted, desk)) == [None] * 4


def test_someone_who_gives_up_waiting_leaves_the_line(journal: Journal, chain: FakeChain) -> None:
    desk = SlowDesk()
    street = street_of(
        journal, chain, desk, settings=StreetSettings(walking_max=1, waiting_max=1), max_in_flight=9
    )

    async def scene() -> list[Outcome | None]:
        walks, waits = (asyncio.ensure_future(street.submit(intent(name))) for name in ("walks", "waits"))
        await let_run(street._journal)
        waits.cancel()
        await let_run(street._journal)
        late = asyncio.ensure_future(street.submit(intent("late")))
        await let_run(street._journal)
        desk.gate.set()
        return [await walks, await late]

    assert asyncio.run(scene()) == [None, None]


@pytest.mark.parametrize("step", ["plan", "guards", "simulate", "accept"])
def test_a_step_without_an_end_is_cut_off_at_its_deadline_and_holds_nobody_up(
    journal: Journal, chain: FakeChain, desk: FakeDesk, step: str
) -> None:
    async def never(*_: object, **__: object) -> object:
        await asyncio.Event().wait()
        raise AssertionError

    street = street_of(journal, chain, desk, settings=StreetSettings(**{f"{step}_s": 0.01}), max_in_flight=9)
    target, name = {
        "plan": (desk, "plan"),
        "guards": (desk, "guards_before"),
        "simulate": (chain, "simulate"),
        "accept": (chain, "block"),
    }[step]
    real = getattr(target, name)
    setattr(target, name, never)
    outcome = asyncio.run(street.submit(intent("slow")))
    assert outcome is not None
    assert (outcome.kind, outcome.reason) == (OutcomeKind.DENIED, Reason.UNAVAILABLE)
    assert f"the step {step} took too long" in outcome.detail
    setattr(target, name, real)
    assert asyncio.run(street.submit(intent("next"))) is None


def test_every_step_is_measured_and_every_end_is_counted(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    counts = Counts()
    street = street_of(journal, chain, desk, recorder=counts)
    asyncio.run(street.submit(intent()))
    assert counts.gauges[Metric.OPEN_TRANSACTIONS] == 1
    chain.mine()
    asyncio.run(street.follow())
    steps = [labels["step"] for metric, labels in counts.observed if metric is Metric.STEP_SECONDS]
    assert steps == ["accept", "plan", "guards", "simulate", "sign", "send", "settle"]
    assert counts.gauges[Metric.OPEN_TRANSACTIONS] == 0
    assert counts.gauges[Metric.NONCE_GAP] == 0
    (spent,) = [amount for metric, amount, _ in counts.counted if metric is Metric.GAS_SPENT_WEI]
    assert spent == 360_000
    (ended,) = [labels for metric, _, labels in counts.counted if metric is Metric.INTENTS]
    assert ended == {"desk": "fake", "chain": "31337", "stage": "paper", "outcome": "landed", "reason": ""}
