"""A worker and a witness that lie, each alone and together, against a real signer.

What they gain, and what stays impossible, is what ``docs/explanation/threat-model.md`` says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.custody.process.ground import (
    CHAIN_ID,
    ONE_USD_WEI,
    TARGET,
    Ground,
    SignerProcess,
    load,
    transaction,
)

from tidegate.chain import keccak256
from tidegate.custody import SignerClient, WitnessService, listen
from tidegate.custody.capability import Target
from tidegate.custody.witness import Answer, Question, Read
from tidegate.model import Address, Denied, Reason, Stage, UnsignedTransaction

APPROVED, REPLACED = b"\x60\x01", b"\x60\x02"
UNLISTED = Address("0x00000000000000000000000000000000000000bb")
LISTED = (Target(address=TARGET, code_hash="0x" + keccak256(APPROVED).hex(), selectors=("0x",)),)


class Says:
    """A witness for every chain that says ``code`` of everything but ``TARGET``, and names two operators.

    Of ``TARGET`` it always says what was approved: the signer asks about it again in the background.
    """

    def __init__(self, code: bytes) -> None:
        self.code = code

    async def answer(self, questions: Sequence[Question]) -> list[Answer]:
        codes = [APPROVED if getattr(one, "address", "") == TARGET else self.code for one in questions]
        return [
            Read(value=keccak256(code), block_number=1, block_hash=b"\x01" * 32, providers=("one", "two"))
            for code in codes
        ]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    folder = tmp_path_factory.mktemp("liars")
    # A reading lives ten seconds: each test brings a witness of its own, and a target asked anew.
    place = f'socket = "{folder / "w" / "witness.sock"}"\nage_max_s = 10'
    with SignerProcess(Ground(folder / "s"), witness=place) as running:
        running.witness_socket = folder / "w" / "witness.sock"  # type: ignore[attr-defined]
        yield running


@asynccontextmanager
async def witness(process: SignerProcess, code: bytes) -> Any:
    stop = asyncio.Event()
    says = Says(code)
    service = WitnessService({1: says, CHAIN_ID: says}, uids=frozenset({os.geteuid()}))  # type: ignore[dict-item]
    serving = asyncio.create_task(service.serve(listen(process.witness_socket), stop))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        stop.set()
        await serving


def before(
    process: SignerProcess, code: bytes, act: Callable[[SignerClient], Awaitable[None]], **capability: Any
) -> None:
    """Run ``act`` with a signer whose witness says ``code`` of everything."""

    async def held() -> None:
        async with witness(process, code), process.connect() as connection:
            await act(await load(connection, process.ground, **{"targets": LISTED, **capability}))

    asyncio.run(held())


async def outcome(signer: SignerClient, unsigned: UnsignedTransaction) -> Reason | None:
    """Return why a transaction was not signed, or None if it was."""
    try:
        await signer.sign_transaction(unsigned, intent_id="lie", plan_digest=unsigned.content_digest)
    except Denied as denied:
        return denied.reason
    return None


def another(signer: SignerClient, process: SignerProcess, **claims: Any) -> SignerClient:
    """Return the same worker, claiming other things about itself."""
    fields = {
        "key": "operator",
        "address": process.ground.address,
        "desk": "atomic",
        "stage": Stage.CANARY,
        "capability_id": signer.capability_id,
    }
    return SignerClient(signer._connection, **{**fields, **claims})


LIES: list[tuple[str, dict[str, Any], Reason]] = [
    ("another target", {"to": UNLISTED}, Reason.TARGET_NOT_ALLOWED),
    ("a contract of its own", {"to": None, "data": b"\x60\x00"}, Reason.CREATION_NOT_ALLOWED),
    ("another function", {"data": bytes.fromhex("a9059cbb") + bytes(64)}, Reason.SELECTOR_NOT_ALLOWED),
    ("three bytes of a function", {"data": b"\xa9\x05\x9c"}, Reason.SELECTOR_NOT_ALLOWED),
    ("another chain", {"chain_id": 1}, Reason.CAPABILITY_FOREIGN),
    ("more than a transaction's notional", {"value_wei": 11 * ONE_USD_WEI}, Reason.NOTIONAL_LIMIT),
    ("more gas", {"gas_limit": 100_001}, Reason.GAS_CAP),
    ("a higher fee", {"max_fee_wei": 101 * 10**9}, Reason.FEE_CAP),
]


@pytest.mark.parametrize(("lie", "changes", "reason"), LIES, ids=[lie for lie, _, _ in LIES])
def test_worker_and_witness_together_get_nothing_outside_of_the_capability(
    process: SignerProcess, lie: str, changes: dict[str, Any], reason: Reason
) -> None:
    async def act(signer: SignerClient) -> None:
        assert await outcome(signer, transaction(50_000, **changes)) is reason

    before(process, APPROVED, act)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"key": "treasury"}, Reason.KEY_UNKNOWN),
        ({"desk": "liquidation"}, Reason.CAPABILITY_FOREIGN),
        ({"stage": Stage.PRODUCTION}, Reason.CAPABILITY_FOREIGN),
        ({"capability_id": "ab" * 32}, Reason.CAPABILITY_UNKNOWN),
    ],
    ids=["another key", "another desk", "another stage", "a capability that nobody issued"],
)
def test_worker_and_witness_together_gain_nothing_by_claiming_to_be_others(
    process: SignerProcess, claims: dict[str, Any], reason: Reason
) -> None:
    async def act(signer: SignerClient) -> None:
        assert await outcome(another(signer, process, **claims), transaction(50_000)) is reason

    before(process, APPROVED, act)


def test_worker_and_witness_together_do_not_get_more_than_the_day_s_limits(process: SignerProcess) -> None:
    async def act(signer: SignerClient) -> None:
        [held] = [
            one for one in (await signer._connection.status()).capabilities if one.id == signer.capability_id
        ]
        room = held.tx_day - held.tx_used
        said = await asyncio.gather(*(outcome(signer, transaction(51_000 + n)) for n in range(room + 20)))
        assert said.count(None) == room
        assert set(said) == {None, Reason.COUNT_LIMIT}

    used = len([one for one in process.ground.records() if "signing" in one.body])
    before(process, APPROVED, act, tx_day=used + 5)


def test_worker_and_witness_together_do_not_get_a_second_content_under_a_nonce(
    process: SignerProcess,
) -> None:
    async def act(signer: SignerClient) -> None:
        assert await outcome(signer, transaction(52_000)) is None
        for changes in ({"value_wei": 1}, {"data": b"\x00" * 4}, {"gas_limit": 21_001, "value_wei": 2}):
            assert await outcome(signer, transaction(52_000, **changes)) in {
                Reason.NONCE_REUSED,
                Reason.SELECTOR_NOT_ALLOWED,
            }
        lower = transaction(52_000, max_fee_wei=10**9, max_priority_fee_wei=10**8)
        assert await outcome(signer, lower) is Reason.NONCE_REUSED

    before(process, APPROVED, act)


def test_worker_and_witness_together_get_nothing_while_the_signer_is_frozen(process: SignerProcess) -> None:
    from tidegate.custody.requests import Done, Unfreeze

    async def act(signer: SignerClient) -> None:
        await signer._connection.freeze("an alarm", by="test")
        assert await outcome(signer, transaction(53_000)) is Reason.FROZEN
        async with process.administer() as administrator:
            await administrator.demand(Unfreeze(reason="over", by="test"), Done)

    before(process, APPROVED, act)


def test_what_they_do_gain_together_is_a_listed_call_to_code_that_was_replaced(
    process: SignerProcess,
) -> None:
    """The stated gap: the target's code is REPLACED on chain, the witness says APPROVED."""

    async def act(signer: SignerClient) -> None:
        assert await outcome(signer, transaction(54_000)) is None

    before(process, APPROVED, act)


def test_a_worker_that_lies_alone_does_not_get_past_an_honest_witness(process: SignerProcess) -> None:
    other = Address("0x00000000000000000000000000000000000000cc")
    listed = (Target(address=other, code_hash="0x" + keccak256(APPROVED).hex(), selectors=("0x",)),)

    async def act(signer: SignerClient) -> None:
        assert await outcome(signer, transaction(55_000, to=other)) is Reason.CODE_CHANGED

    before(process, REPLACED, act, targets=listed)


def test_a_witness_that_lies_alone_only_stops_an_honest_worker(process: SignerProcess) -> None:
    other = Address("0x00000000000000000000000000000000000000dd")
    listed = (Target(address=other, code_hash="0x" + keccak256(APPROVED).hex(), selectors=("0x",)),)

    async def act(signer: SignerClient) -> None:
        assert await outcome(signer, transaction(56_000, to=other)) is Reason.CODE_CHANGED
        assert await outcome(signer, transaction(56_000, to=UNLISTED)) is Reason.TARGET_NOT_ALLOWED

    before(process, REPLACED, act, targets=listed)
