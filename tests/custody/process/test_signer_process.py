"""The signer's process over its real sockets: who may ask, in which form, and what a kill leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from tests.custody.process.ground import Ground, SignerProcess, bind, load, sign, transaction

from tidegate.custody import SignerConnection
from tidegate.custody.frames import FRAME_BYTES_MAX, encode_frame
from tidegate.custody.requests import Done, Revoke, Status, StatusAnswer, Unfreeze
from tidegate.model import Denied, Reason, RecordKind, Unavailable, UnsignedTransaction


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    with SignerProcess(Ground(tmp_path_factory.mktemp("signer"))) as process:
        yield process


def over(
    process: SignerProcess, conversation: Callable[[SignerConnection], Awaitable[Any]], *, admin: bool = False
) -> Any:
    async def held() -> Any:
        async with process.administer() if admin else process.connect() as connection:
            return await conversation(connection)

    return asyncio.run(held())


def closed_by(process: SignerProcess, octets: bytes) -> dict[str, int]:
    """Send raw bytes, see the connection end without an answer, return what was counted since."""

    async def count() -> dict[str, int]:
        async with process.connect() as connection:
            return (await connection.status()).closed_connections

    before = asyncio.run(count())
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(120)
        peer.connect(str(process.ground.socket))
        peer.sendall(octets)
        with contextlib.suppress(ConnectionResetError):
            assert peer.recv(1) == b""
    after = asyncio.run(count())
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}


def test_a_signature_under_a_capability_is_eth_accounts_own(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> tuple[bytes, UnsignedTransaction]:
        signer = await load(connection, running.ground)
        assert signer.address == running.ground.address
        return await sign(signer, 1), transaction(1)

    raw, asked = over(running, conversation)
    fields = {
        "type": 2,
        "chainId": asked.chain_id,
        "nonce": asked.nonce,
        "to": asked.to,
        "data": asked.data,
        "value": asked.value_wei,
        "gas": asked.gas_limit,
        "maxFeePerGas": asked.max_fee_wei,
        "maxPriorityFeePerGas": asked.max_priority_fee_wei,
    }
    assert raw == bytes(Account.sign_transaction(fields, running.ground.secret).raw_transaction)


def test_a_denial_names_the_reason_the_check_and_the_limit(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, running.ground, notional_tx_usd_e6=5 * 10**5)
        await sign(signer, 2)

    with pytest.raises(Denied) as denied:
        over(running, conversation)
    assert denied.value.reason is Reason.NOTIONAL_LIMIT
    assert "notional" in denied.value.message
    assert denied.value.allowed is not None
    assert "500000" in denied.value.allowed.replace(",", "").replace("_", "")


def test_bytes_changed_between_plan_and_sign_are_plan_digest_mismatch(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, running.ground)
        planned = transaction(3)
        changed = transaction(3, value_wei=planned.value_wei + 1)
        await signer.sign_transaction(changed, intent_id="i", plan_digest=planned.content_digest)

    with pytest.raises(Denied) as denied:
        over(running, conversation)
    assert denied.value.reason is Reason.PLAN_DIGEST_MISMATCH


def test_what_is_asked_at_once_travels_as_one_frame_and_each_gets_its_own_answer(
    running: SignerProcess,
) -> None:
    async def conversation(connection: SignerConnection) -> tuple[list[Any], list[bytes]]:
        signer = await load(connection, running.ground)
        asked = [sign(signer, 100 + number) for number in range(70)]
        asked.append(sign(signer, 170, gas_limit=10**6))  # above the cap
        together = await asyncio.gather(*asked, return_exceptions=True)
        return together, [await sign(signer, 100 + number) for number in (0, 63, 64, 69)]

    (*signed, refused), alone = over(running, conversation)
    assert isinstance(refused, Denied)
    assert refused.reason is Reason.GAS_CAP
    assert {Account.recover_transaction(raw) for raw in signed} == {running.ground.address}
    assert alone == [signed[number] for number in (0, 63, 64, 69)]


def test_any_worker_may_freeze_and_only_an_administrator_unfreezes(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, running.ground)
        await connection.freeze("an alarm", by="test")
        assert (await connection.status()).is_frozen
        with pytest.raises(Denied) as frozen:
            await sign(signer, 300)
        assert frozen.value.reason is Reason.FROZEN
        with pytest.raises(Denied) as refused:
            await connection.demand(Unfreeze(reason="please", by="test"), Done)
        assert refused.value.reason is Reason.ADMINISTRATOR_ONLY
        async with running.administer() as administrator:
            await administrator.demand(Unfreeze(reason="looked at", by="test"), Done)
        await sign(signer, 300)

    over(running, conversation)


def test_a_client_follows_the_capability_that_replaced_its_own(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, running.ground)
        assert not await signer.follow()
        renewed = await load(connection, running.ground)
        assert await signer.follow()
        assert signer.capability_id == renewed.capability_id
        await sign(signer, 320)
        again = await load(connection, running.ground)
        with pytest.raises(Denied) as replaced:
            await sign(signer, 321)
        assert replaced.value.reason is Reason.CAPABILITY_REVOKED
        assert signer.capability_id == again.capability_id, "what is asked next goes under what renews it"
        await sign(signer, 321)

    over(running, conversation)


def test_a_revoked_capability_that_nothing_replaced_is_not_followed(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, running.ground)
        async with running.administer() as administrator:
            request = Revoke(capability_id=signer.capability_id, reason="over", by="test")
            await administrator.demand(request, Done)
        assert not await signer.follow()

    over(running, conversation)


def test_only_an_administrator_revokes(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, running.ground)
        request = Revoke(capability_id=signer.capability_id, reason="over", by="test")
        with pytest.raises(Denied) as refused:
            await connection.demand(request, Done)
        assert refused.value.reason is Reason.ADMINISTRATOR_ONLY
        await sign(signer, 310)
        async with running.administer() as administrator:
            await administrator.demand(request, Done)
        with pytest.raises(Denied) as revoked:
            await sign(signer, 311)
        assert revoked.value.reason is Reason.CAPABILITY_REVOKED

    over(running, conversation)


@pytest.mark.parametrize(
    ("octets", "offence"),
    [
        (b"\xff\xff\xff\xff", "oversized"),
        (FRAME_BYTES_MAX.to_bytes(4), "oversized"),
        (bytes(4), "empty"),
        (encode_frame([]), "empty"),
        (encode_frame([{"type": "sign_everything"}]), "unknown_verb"),
        (encode_frame([{"type": "status", "also": 1}]), "malformed"),
        (encode_frame({"type": "status"}), "malformed"),
        (b"\0\0\0\x01\xc1", "malformed"),
        (encode_frame([Status()])[:3] + b"\x00", "empty"),
        (encode_frame([Status()] * 65), "too_many_requests"),
        (encode_frame([Status()]) + b"x", "not_your_turn"),
        (encode_frame([Status()]) * 2, "not_your_turn"),
    ],
)
def test_a_frame_that_breaks_the_form_is_closed_counted_and_journaled(
    running: SignerProcess, octets: bytes, offence: str
) -> None:
    assert closed_by(running, octets) == {offence: 1}
    newest = [one.body for one in running.ground.records() if one.kind is RecordKind.ANSWER]
    assert any(body["verb"] == offence and body["asked_by"] == f"uid {os.geteuid()}" for body in newest)


def test_sockets_are_private_and_so_is_their_folder(running: SignerProcess) -> None:
    for path in (running.ground.socket, running.ground.admin_socket):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_every_answer_yes_or_no_is_a_record(running: SignerProcess) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, running.ground)
        before = len(running.ground.records())
        await sign(signer, 400)
        assert len(running.ground.records()) == before + 1
        with pytest.raises(Denied):
            await sign(signer, 400, value_wei=1)  # the same nonce for other content
        yes, no = (one.body for one in running.ground.records()[before:])
        assert yes["signing"]["nonce"]["nonce"] == 400
        assert "check" not in yes
        assert (no["check"], no["reason"]) == ("nonce", "nonce_reused")

    over(running, conversation)


def test_a_wrong_uid_is_closed_counted_and_journaled(tmp_path: Path) -> None:
    other = os.geteuid() + 1
    with SignerProcess(Ground(tmp_path / "s"), signer=f"workers = [{other}]") as process:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(120)
            peer.connect(str(process.ground.socket))
            try:
                peer.sendall(encode_frame([Status()]))
                assert peer.recv(1) == b""
            except (ConnectionResetError, BrokenPipeError):
                pass

        async def count(connection: SignerConnection) -> dict[str, int]:
            return (await connection.status()).closed_connections

        assert over(process, count, admin=True) == {"wrong_uid": 1}
    [record] = [one for one in process.ground.records() if one.body.get("verb") == "wrong_uid"]
    assert record.body["asked_by"] == f"uid {os.geteuid()}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_of_another_user_can_not_even_open_the_socket(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"tidegate-test-{os.getpid()}"  # every folder above it may be entered by all
    folder.mkdir(mode=0o711)
    try:
        with SignerProcess(Ground(folder / "s")) as process:
            assert as_nobody(lambda: connect_and_ask(process.ground.socket)) == "PermissionError"
            (folder / "s").chmod(0o711)
            assert as_nobody(lambda: connect_and_ask(process.ground.socket)) == "PermissionError"
            process.ground.socket.chmod(0o666)  # someone loosens the mode: the kernel's word still counts
            assert as_nobody(lambda: connect_and_ask(process.ground.socket)) == "closed"
            (folder / "s").chmod(0o700)
        [record] = [one for one in process.ground.records() if one.body.get("verb") == "wrong_uid"]
        assert record.body["asked_by"] == "uid 65534"
    finally:
        shutil.rmtree(folder)


def connect_and_ask(path: Path) -> str:
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(120)
            peer.connect(str(path))
            peer.sendall(encode_frame([Status()]))
            return "answered" if peer.recv(1) else "closed"
    except (ConnectionResetError, BrokenPipeError):
        return "closed"
    except OSError as error:
        return type(error).__name__


def as_nobody(act: Callable[[], str]) -> str:
    """Run ``act`` in a child that is the user nobody, and return what it returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writing, act().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_what_comes_faster_than_the_rate_is_refused_on_the_record_and_a_freeze_never_is(
    tmp_path: Path,
) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, process.ground)
        async with process.connect() as another:  # a new connection: its whole second is there
            signer = await bind(another, process.ground.capability_in_force)
            asked = [sign(signer, number) for number in range(12)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            refused = [one for one in answers if isinstance(one, Denied)]
            assert {one.reason for one in refused} == {Reason.RATE_LIMIT}
            assert 1 <= len(refused) <= 9  # five a second; binding took two of them
            await another.freeze("at once", by="test")
        async with process.connect() as third:
            assert (await third.status()).is_frozen

    with SignerProcess(Ground(tmp_path / "s"), signer="rate_per_s = 5") as process:
        over(process, conversation)
    verbs = [one.body.get("verb") for one in process.ground.records()]
    assert "rate_limit" in verbs


def test_killed_between_journal_and_answer_the_same_is_signed_again_and_counted_once(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "s")
    capability = ground.capability()

    async def die(connection: SignerConnection) -> None:
        await connection.load_capability(ground.envelope(capability))
        await sign(await bind(connection, capability), 7)

    with SignerProcess(ground, fault="die") as process:
        with pytest.raises(Unavailable):
            over(process, die)
        assert process.ended() == -9

    async def again(connection: SignerConnection) -> tuple[bytes, StatusAnswer]:
        signer = await bind(connection, capability)
        with pytest.raises(Denied) as other:
            await sign(signer, 7, value_wei=1)
        assert other.value.reason is Reason.NONCE_REUSED
        raw = await sign(signer, 7)
        return raw, await connection.status()

    with SignerProcess(ground) as process:
        raw, status = over(process, again)
    assert Account.recover_transaction(raw) == ground.address
    assert status.capabilities[0].tx_used == 1


def test_sigterm_finishes_the_request_in_hand(tmp_path: Path) -> None:
    async def conversation(connection: SignerConnection) -> bytes:
        return await sign(await load(connection, process.ground), 7)

    with SignerProcess(Ground(tmp_path / "s"), fault="stop") as process:
        raw = over(process, conversation)
        assert process.ended() == 0
    assert Account.recover_transaction(raw) == process.ground.address
    assert not process.ground.socket.exists()


def test_a_lost_store_refuses_all(tmp_path: Path) -> None:
    async def conversation(connection: SignerConnection) -> None:
        signer = await load(connection, process.ground)
        for nonce in (7, 8):
            with pytest.raises(Denied) as lost:
                await sign(signer, nonce)
            assert lost.value.reason is Reason.STORE_LOST
        with pytest.raises(Denied) as all_of_it:
            await connection.status()
        assert all_of_it.value.reason is Reason.STORE_LOST

    with SignerProcess(Ground(tmp_path / "s"), fault="store") as process:
        over(process, conversation)


def test_twenty_clients_racing_take_the_daily_limit_exactly_once(running: SignerProcess) -> None:
    """A dollar and a hair each, 200 of them, with room for 60."""
    each = 10**6 + 1

    async def race(connection: SignerConnection) -> list[Any]:
        await load(connection, running.ground)
        [used] = [
            one.notional_used_usd_e6 for one in (await connection.status()).capabilities if not one.is_revoked
        ]
        await load(connection, running.ground, notional_day_usd_e6=max(used + 60 * each, 10**7))
        async with contextlib.AsyncExitStack() as resources:
            asked = []
            for client in range(20):
                another = await resources.enter_async_context(running.connect())
                signer = await bind(another, running.ground.capability_in_force)
                asked += [sign(signer, 1_000 + 100 * client + number) for number in range(10)]
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = over(running, race)
    signed = [one for one in answers if isinstance(one, bytes)]
    refused = [one.reason for one in answers if isinstance(one, Denied)]
    assert (len(signed), len(refused)) == (60, 140)
    assert set(refused) == {Reason.NOTIONAL_LIMIT}


def test_a_second_signer_is_refused_the_socket_and_the_journal(running: SignerProcess) -> None:
    with pytest.raises(AssertionError, match="has a writer already"), SignerProcess(running.ground):
        pass
