"""The worker's side: what happens when the signer is gone, slow, or says something else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidegate.custody import SignerClient, SignerConnection, listen
from tidegate.custody.frames import FrameBuffer, encode_frame
from tidegate.custody.keys import SecpKey
from tidegate.custody.requests import (
    AddressAnswer,
    AddressOf,
    CapabilityStatus,
    Refused,
    Signed,
    SignTransaction,
    StatusAnswer,
)
from tidegate.custody.transactions import encode_unsigned
from tidegate.custody.transactions import sign as sign_bytes
from tidegate.model import (
    SIGNER_UNREACHED,
    Address,
    Denied,
    Divergence,
    Metric,
    Reason,
    Stage,
    Unavailable,
    UnsignedTransaction,
)

ADDRESS = Address("0x00000000000000000000000000000000000000AA")
TRANSACTION = UnsignedTransaction(31337, 0, ADDRESS, b"", 1, 21_000, 10**10, 10**9)
Script = Callable[[list[dict[str, Any]]], Awaitable[list[Any] | bytes | None]]


def signed_form(*, transaction: UnsignedTransaction = TRANSACTION, **changes: Any) -> Signed:
    """Return a signature by some key, of a form that fits, then changed."""
    signed = sign_bytes(encode_unsigned(transaction), SecpKey(b"\x11" * 32, is_throw_away=True))
    return Signed(**{"hash": signed.hash, "raw": signed.raw, "sender": ADDRESS, **changes})


def with_signer(
    folder: Path, script: Script, act: Callable[[SignerConnection], Awaitable[None]], **options: Any
) -> list[list[dict[str, Any]]]:
    """Run ``act`` against a socket that answers each frame as ``script`` says; None hangs up."""
    frames: list[list[dict[str, Any]]] = []
    path = folder / "d" / "s.sock"

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = FrameBuffer()
        try:
            while octets := await reader.read(65_536):
                payload = buffer.feed(octets)
                if payload is not None:
                    asked = msgspec.msgpack.decode(payload)
                    frames.append(asked)
                    answer = await script(asked)
                    if answer is None:
                        break
                    writer.write(answer if isinstance(answer, bytes) else encode_frame(answer))
        finally:
            writer.close()

    async def held() -> None:
        server = await asyncio.start_unix_server(converse, sock=listen(path))
        async with SignerConnection(path, **options) as connection:
            await act(connection)
        server.close()

    asyncio.run(held())
    return frames


def client(connection: SignerConnection) -> SignerClient:
    return SignerClient(
        connection,
        key="operator",
        address=ADDRESS,
        desk="atomic",
        stage=Stage.CANARY,
        capability_id="ab" * 32,
    )


async def sign(connection: SignerConnection) -> Any:
    return await client(connection).sign_transaction(
        TRANSACTION, intent_id="i", plan_digest=TRANSACTION.content_digest
    )


def test_a_signer_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async def act() -> None:
        async with SignerConnection(tmp_path / "nobody.sock") as connection:
            with pytest.raises(Unavailable) as gone:
                await sign(connection)
            assert gone.value.code == SIGNER_UNREACHED, "nothing was asked, so nothing can have been signed"

    asyncio.run(act())


def test_a_signer_that_ends_before_its_answer_is_unavailable_and_is_not_asked_again(tmp_path: Path) -> None:
    async def hang_up(_: list[dict[str, Any]]) -> None:
        return None

    async def act(connection: SignerConnection) -> None:
        with pytest.raises(Unavailable) as gone:
            await sign(connection)
        assert gone.value.code == "signer_gone", "it was asked, and may have signed"

    assert len(with_signer(tmp_path, hang_up, act)) == 1


def test_the_next_request_finds_a_signer_that_started_again(tmp_path: Path) -> None:
    async def once(asked: list[dict[str, Any]]) -> list[Any]:
        return [AddressAnswer(key="operator", address=ADDRESS, is_throw_away=True)] * len(asked)

    async def act(connection: SignerConnection) -> None:
        await connection.ask(AddressOf(key="operator"))
        assert connection._streams is not None
        connection._streams[0].feed_eof()  # it ended while nothing was asked
        await connection.ask(AddressOf(key="operator"))

    assert len(with_signer(tmp_path, once, act)) == 2


def test_no_answer_in_time_is_unavailable(tmp_path: Path) -> None:
    async def never(_: list[dict[str, Any]]) -> None:
        await asyncio.get_running_loop().create_future()

    async def act(connection: SignerConnection) -> None:
        with pytest.raises(Unavailable, match="no answer in time"):
            await sign(connection)

    with_signer(tmp_path, never, act, deadline_s=0.05)


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        [],
        [Refused(check="x", reason=Reason.FROZEN, message="m")] * 2,
        [{"type": "unheard_of"}],
        [AddressAnswer(key="operator", address=ADDRESS, is_throw_away=True)],
    ],
    ids=["oversized", "malformed", "too few", "too many", "unknown", "of another kind"],
)
def test_an_answer_that_does_not_fit_is_unavailable(tmp_path: Path, answer: Any) -> None:
    async def script(_: list[dict[str, Any]]) -> Any:
        return answer

    async def act(connection: SignerConnection) -> None:
        with pytest.raises(Unavailable):
            await sign(connection)

    with_signer(tmp_path, script, act)


def test_bytes_that_were_asked_for_are_given(tmp_path: Path) -> None:
    async def script(_: list[dict[str, Any]]) -> Any:
        return [signed_form()]

    async def act(connection: SignerConnection) -> None:
        assert (await sign(connection)).raw == signed_form().raw

    with_signer(tmp_path, script, act)


@pytest.mark.parametrize(
    "signed",
    [
        signed_form(transaction=msgspec.structs.replace(TRANSACTION, value_wei=2)),
        signed_form(hash=b"\x00" * 32),
        signed_form(raw=b"\x02"),
        signed_form(raw=b""),
        signed_form(sender=Address("0x00000000000000000000000000000000000000bb")),
    ],
    ids=["another content", "another hash", "no transaction", "nothing", "another sender"],
)
def test_bytes_that_were_not_asked_for_are_a_divergence(tmp_path: Path, signed: Signed) -> None:
    async def script(_: list[dict[str, Any]]) -> Any:
        return [signed]

    async def act(connection: SignerConnection) -> None:
        with pytest.raises(Divergence) as other:
            await sign(connection)
        assert other.value.code == "signer_answer"

    with_signer(tmp_path, script, act)


@pytest.mark.parametrize("reason", [Reason.PLAN_DIGEST_MISMATCH, Reason.FROZEN, Reason.CAPABILITY_EXPIRED])
def test_a_refusal_becomes_denied_with_its_reason_check_and_limit(tmp_path: Path, reason: Reason) -> None:
    async def script(_: list[dict[str, Any]]) -> Any:
        return [
            Refused(check="some_check", reason=reason, message="no", found="11", allowed="10", fix="less")
        ]

    async def act(connection: SignerConnection) -> None:
        with pytest.raises(Denied) as denied:
            await sign(connection)
        assert denied.value.reason is reason
        assert "some_check" in denied.value.message
        assert (denied.value.found, denied.value.allowed, denied.value.fix) == ("11", "10", "less")

    with_signer(tmp_path, script, act)


def test_concurrent_requests_share_frames_and_long_ones_take_several(tmp_path: Path) -> None:
    async def script(asked: list[dict[str, Any]]) -> list[Any]:
        return [AddressAnswer(key=one["key"], address=ADDRESS, is_throw_away=False) for one in asked]

    async def act(connection: SignerConnection) -> None:
        answers = await asyncio.gather(*(connection.ask(AddressOf(key=f"key-{n}")) for n in range(150)))
        assert [one.key for one in answers if isinstance(one, AddressAnswer)] == [
            f"key-{n}" for n in range(150)
        ]

    assert [len(frame) for frame in with_signer(tmp_path, script, act)] == [64, 64, 22]


def test_frames_are_cut_by_their_length_too(tmp_path: Path) -> None:
    async def script(asked: list[dict[str, Any]]) -> list[Any]:
        return [Refused(check="x", reason=Reason.FROZEN, message="m")] * len(asked)

    async def act(connection: SignerConnection) -> None:
        long = SignTransaction(
            key="k",
            desk="d",
            stage=Stage.CANARY,
            capability_id="ab" * 32,
            intent_id="i",
            plan_digest="ab" * 32,
            unsigned=b"x" * 30_000,
        )
        await asyncio.gather(*(connection.ask(long) for _ in range(5)))

    assert [len(frame) for frame in with_signer(tmp_path, script, act)] == [2, 2, 1]


def test_a_request_longer_than_a_frame_is_denied_before_it_is_sent(tmp_path: Path) -> None:
    async def script(_: list[dict[str, Any]]) -> list[Any]:
        return []

    async def act(connection: SignerConnection) -> None:
        big = msgspec.structs.replace(TRANSACTION, data=b"x" * 70_000)
        with pytest.raises(Denied, match="longer than a frame"):
            await client(connection).sign_transaction(big, intent_id="i", plan_digest=big.content_digest)

    assert with_signer(tmp_path, script, act) == []


def test_a_legacy_transaction_is_denied_and_never_signed_as_another_type(tmp_path: Path) -> None:
    async def script(_: list[dict[str, Any]]) -> list[Any]:
        return []

    async def act(connection: SignerConnection) -> None:
        legacy = msgspec.structs.replace(TRANSACTION, is_legacy=True)
        with pytest.raises(Denied, match="EIP-1559 transactions alone"):
            await client(connection).sign_transaction(
                legacy, intent_id="i", plan_digest=legacy.content_digest
            )

    assert with_signer(tmp_path, script, act) == []


def test_closing_tells_everyone_who_waits(tmp_path: Path) -> None:
    async def never(_: list[dict[str, Any]]) -> None:
        await asyncio.get_running_loop().create_future()

    async def act(connection: SignerConnection) -> None:
        asked = [asyncio.ensure_future(sign(connection)) for _ in range(70)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await connection.close()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in answers} == {Unavailable}

    with_signer(tmp_path, never, act)


class Metrics:
    """Remembers what was recorded."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], float] = {}
        self.gauges: dict[tuple[str, ...], float] = {}

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        assert tuple(labels) == metric.labels
        key = (metric.metric_name, *labels.values())
        self.counts[key] = self.counts.get(key, 0) + amount

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        assert tuple(labels) == metric.labels
        self.gauges[metric.metric_name, *labels.values()] = value

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        raise AssertionError("nothing is observed here")


def test_the_worker_counts_answers_and_reads_the_signer_s_state_as_metrics(tmp_path: Path) -> None:
    capability = CapabilityStatus(
        id="ab" * 32,
        purpose="act",
        desk="atomic",
        stage=Stage.CANARY,
        chain_id=31337,
        key_address=ADDRESS,
        serial=1,
        not_before=0,
        expires_at=1_060,
        is_revoked=False,
        notional_used_usd_e6=25,
        notional_day_usd_e6=100,
        at_risk_used_usd_e6=0,
        at_risk_day_usd_e6=0,
        tx_used=1,
        tx_day=2,
    )
    closed = iter([{"wrong_uid": 2}, {"wrong_uid": 3}])

    async def script(asked: list[dict[str, Any]]) -> list[Any]:
        if asked[0]["type"] == "status":
            return [
                StatusAnswer(
                    is_frozen=True,
                    allows_exit=True,
                    freeze_reason="r",
                    keys=(),
                    capabilities=(
                        capability,
                        msgspec.structs.replace(capability, is_revoked=True, desk="old"),
                    ),
                    closed_connections=next(closed),
                )
            ]
        return [Refused(check="frozen", reason=Reason.FROZEN, message="m")]

    metrics = Metrics()

    async def act(connection: SignerConnection) -> None:
        await connection.ask(AddressOf(key="k"))
        await connection.status(now_s=1_000)
        await connection.status(now_s=1_000)

    with_signer(tmp_path, script, act, recorder=metrics)
    assert metrics.counts == {
        ("tidegate_signer_requests_total", "no", "frozen"): 1,
        ("tidegate_signer_requests_total", "yes", "-"): 2,
        ("tidegate_signer_requests_total", "closed", "wrong_uid"): 3,
    }
    assert metrics.gauges == {
        ("tidegate_signer_frozen",): 1,
        ("tidegate_capability_expires_s", "atomic", "31337", "act"): 60,
        ("tidegate_limit_used_ratio", "signer_notional_day", "desk:atomic,chain:31337"): 0.25,
        ("tidegate_limit_used_ratio", "signer_tx_day", "desk:atomic,chain:31337"): 0.5,
    }
