"""What the chain takes: caps on gas and price, and the parent chain's fee for data."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, intent
from tests.pipeline.harness import kinds, street_of

from tidegate.chain import DataFee, Network, devnet_network
from tidegate.ledger import Journal
from tidegate.model import Block, Bound, Denied, Intent, Operation, Outcome, Plan, Reason, RecordKind

ROLLUP = msgspec.structs.replace(devnet_network(31337), data_fee=DataFee.OP_STACK)
UNKNOWN = Denied(Reason.L1_FEE_UNKNOWN, "the oracle does not answer")


class PayingDesk(FakeDesk):
    """A desk whose plan pays out 7 TOK at a dollar each, above a floor of 5."""

    def __init__(self, **changes: object) -> None:
        super().__init__()
        self._changes = changes

    async def plan(self, wanted: Intent) -> Plan:
        plan = await super().plan(wanted)
        self.reader.delta = self.reader.logs_delta = 7_000_000
        bound = msgspec.structs.replace(plan.bounds[0], floor=5_000_000, payout=True)
        assert isinstance(bound, Bound)
        return msgspec.structs.replace(plan, bounds=(bound,), **self._changes)


def walk(
    journal: Journal,
    chain: FakeChain,
    network: Network,
    operation: Operation = Operation.OPEN,
    **changes: object,
) -> Outcome | None:
    street = street_of(journal, chain, PayingDesk(**changes), network=network)
    return asyncio.run(street.submit(intent(operation=operation)))


def test_a_plan_whose_profit_depends_on_an_unknown_data_fee_is_denied(
    journal: Journal, chain: FakeChain
) -> None:
    chain.data_fee = UNKNOWN
    outcome = walk(journal, chain, ROLLUP)
    assert outcome is not None
    assert outcome.reason is Reason.L1_FEE_UNKNOWN
    assert RecordKind.AUTHORISATION not in kinds(journal)


def test_an_exit_does_not_depend_on_the_data_fee(journal: Journal, chain: FakeChain) -> None:
    chain.data_fee = UNKNOWN
    assert walk(journal, chain, ROLLUP, Operation.CLOSE) is None


def test_a_chain_without_a_data_fee_is_not_asked_for_it(journal: Journal, chain: FakeChain) -> None:
    chain.data_fee = UNKNOWN
    assert walk(journal, chain, devnet_network(31337)) is None


@pytest.mark.parametrize(("usd", "reason"), [(2, None), (3, Reason.UNPROFITABLE)])
def test_what_lies_above_the_floors_must_pay_the_data_fee(
    journal: Journal, chain: FakeChain, usd: int, reason: Reason | None
) -> None:
    chain.data_fee = usd * 10**18 // 3_000  # rounds down: two dollars are just paid for
    outcome = walk(journal, chain, ROLLUP)
    assert (None if outcome is None else outcome.reason) is reason


def dear(chain: FakeChain) -> None:
    real = chain.block

    async def block(reference: object = None) -> Block:
        return msgspec.structs.replace(await real(), base_fee_wei=100)

    chain.block = block  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize(
    ("changes", "network", "before", "reason"),
    [
        ({"gas_limit": 16_777_217}, {}, None, Reason.GAS_CAP),
        ({"max_fee_wei": 11}, {"fee_cap_wei": 10}, None, Reason.FEE_CAP),
        ({"max_fee_wei": 87}, {}, dear, Reason.FEE_CAP),
        ({"max_fee_wei": 88}, {}, dear, None),
    ],
    ids=["gas", "the network's cap", "a base fee that can not fall so far", "one that can"],
)
def test_no_plan_above_a_cap_is_authorised(
    journal: Journal,
    chain: FakeChain,
    changes: dict[str, object],
    network: dict[str, object],
    before: Callable[[FakeChain], None] | None,
    reason: Reason | None,
) -> None:
    if before is not None:
        before(chain)
    outcome = walk(journal, chain, msgspec.structs.replace(devnet_network(31337), **network), **changes)
    assert (None if outcome is None else outcome.reason) is reason
    assert (RecordKind.AUTHORISATION in kinds(journal)) is (reason is None)
