"""What a relay is asked, how it knows who asks, and what its answers mean."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from tests.chain.relays.ground import BRIEF_S, CANCELS, TRIES, bundled, stand
from tests.chain.rpc.support import PATIENT_S
from tests.chain.sender.ground import FAILS, count_of, key_of, work, world_of

from tidegate.chain import CallReverted, Fees, State, address, keccak256
from tidegate.chain.relays import (
    BYTES_MAX,
    HEADER,
    Bundle,
    BundleRelay,
    RelayPlace,
    asker_of,
    header_of,
    uuid_of,
)
from tidegate.custody import RelayKey
from tidegate.model import Ambiguous, ConfigError, RecordKind, Rejected, Route, Sending, Unavailable
from tidegate.sim import ExactWorld, Manner, RelayDouble, build_block


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with world_of() as world:
        yield world


@pytest.fixture
def world(node: ExactWorld) -> Iterator[ExactWorld]:
    with node.snapshot():
        yield node
    node.forget_all()


def signed(nonce: int = 0, *, fails: bool = False, name: str = "one") -> bytes:
    wanted = work(name, to=FAILS) if fails else work(name)
    unsigned = wanted.unsigned(nonce, Fees(2 * 10**9, 10**9), is_legacy=False)
    return key_of().sign_now(unsigned, intent_id=name, plan_digest=wanted.plan_digest).raw


def other_key_signed(world: ExactWorld, name: str) -> bytes:
    key = key_of(name)
    world.set_balance(key.address, 10**20)
    wanted = work(name)
    unsigned = wanted.unsigned(0, Fees(2 * 10**9, 10**9), is_legacy=False)
    return key.sign_now(unsigned, intent_id=name, plan_digest=wanted.plan_digest).raw


def client(relay: RelayDouble, folder: Path, **fields: object) -> BundleRelay:
    place = RelayPlace("relay", relay.url, **{"timeout_s": 60.0, **fields})  # type: ignore[arg-type]
    return BundleRelay(place, RelayKey(folder / "relay.key"))


def bundle(world: ExactWorld, *transactions: bytes, name: str = "a", **fields: object) -> Bundle:
    number = world.block().number + 1
    return Bundle(transactions, number, uuid_of(name, number), **fields)  # type: ignore[arg-type]


def test_the_header_is_the_askers_signature_of_the_bodys_hash_as_text(tmp_path: Path) -> None:
    key, body = RelayKey(tmp_path / "relay.key"), b'{"jsonrpc":"2.0"}'
    named, signature = header_of(key, body).split(":")
    text = "0x" + keccak256(body).hex()
    assert named == key.address
    assert address(Account.recover_message(encode_defunct(text=text), signature=signature)) == key.address
    assert asker_of(header_of(key, body), body) == key.address
    assert asker_of(header_of(key, body), body + b" ") is None
    assert asker_of(f"{key_of().address}:{signature}", body) is None
    assert asker_of("nonsense", body) is None


def test_the_relay_key_is_kept_its_owner_alone_reads_it_and_it_never_shows(tmp_path: Path) -> None:
    path = tmp_path / "home" / "relay.key"
    key = RelayKey(path)
    assert RelayKey(path).address == key.address
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() not in repr(key)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="open to others"):
        RelayKey(path)
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(ConfigError, match="holds no relay key"):
        RelayKey(path)


def test_a_stranger_whose_signature_is_missing_is_refused(world: ExactWorld) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay, aiohttp.ClientSession() as session:
            async with session.post(relay.url, data=b"{}", headers={HEADER: "0x00:0x00"}) as answer:
                assert answer.status == 403
            assert (relay.strangers, dict(relay.methods)) == (1, {})

    asyncio.run(conversation())


def test_an_offer_says_what_the_protocol_asks_for(world: ExactWorld, tmp_path: Path) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay:
            sender = client(relay, tmp_path)
            raw, number = signed(), world.block().number + 1
            await sender.offer(
                [bundle(world, raw, min_timestamp_s=5, max_timestamp_s=9, builders=("flashbots", "b"))]
            )
            assert relay.offers == [
                {
                    "txs": ["0x" + raw.hex()],
                    "blockNumber": hex(number),
                    "replacementUuid": uuid_of("a", number),
                    "minTimestamp": 5,
                    "maxTimestamp": 9,
                    "builders": ["flashbots", "b"],
                }
            ]
            assert relay.askers == {RelayKey(tmp_path / "relay.key").address}
            await sender.close()

    asyncio.run(conversation())


def test_a_uuid_is_of_form_4_and_stands_for_one_purpose_and_one_block() -> None:
    found = {uuid_of(name, block) for name in ("a", "b") for block in (1, 2)}
    assert len(found) == 4
    assert {UUID(one).version for one in found} == {4}
    assert uuid_of("a", 1) in found


def test_at_most_100_transactions_and_300_000_bytes() -> None:
    assert Bundle((b"x",) * 100, 1, "u")
    assert Bundle((b"x" * BYTES_MAX,), 1, "u")
    for transactions in ((), (b"x",) * 101, (b"x" * (BYTES_MAX + 1),)):
        with pytest.raises(ConfigError) as caught:
            Bundle(transactions, 1, "u")
        assert caught.value.code == "bundle_size"


@pytest.mark.parametrize(
    ("manner", "error", "timeout_s"),
    [
        (Manner.REFUSES, Unavailable, 60.0),
        (Manner.HANGS, Ambiguous, BRIEF_S),
        (Manner.SWALLOWS, Ambiguous, BRIEF_S),
        (Manner.GIBBERISH, Ambiguous, 60.0),
    ],
)
def test_answers_and_silences_have_the_pools_classes(
    manner: Manner, error: type[Exception], timeout_s: float, world: ExactWorld, tmp_path: Path
) -> None:
    async def conversation() -> None:
        async with RelayDouble(world, manner) as relay:
            sender = client(relay, tmp_path, timeout_s=timeout_s)
            with pytest.raises(error):
                await sender.offer([bundle(world, signed())])
            await sender.close()

    asyncio.run(conversation())


def test_a_relay_that_is_not_there_took_nothing(world: ExactWorld, tmp_path: Path) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay:
            sender = client(relay, tmp_path)
        with pytest.raises(Unavailable):
            await sender.offer([bundle(world, signed())])
        await sender.close()

    asyncio.run(conversation())


def test_an_offer_for_a_block_that_is_there_is_refused_for_good(world: ExactWorld, tmp_path: Path) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay:
            sender = client(relay, tmp_path)
            with pytest.raises(Rejected) as caught:
                await sender.offer([Bundle((signed(),), world.block().number, "u")])
            assert caught.value.code == "invalid_params"
            await sender.close()

    asyncio.run(conversation())


def test_a_bundle_is_included_whole_or_not_at_all(world: ExactWorld, tmp_path: Path) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay:
            sender = client(relay, tmp_path)
            await sender.offer([bundle(world, signed(0), signed(1, fails=True, name="two"))])
            build_block(world, [relay])
            assert (count_of(world), world.nonce(key_of().address)) == (0, 0), "not its first half either"
            await sender.offer([bundle(world, signed(0), signed(1, name="three"))])
            build_block(world, [relay])
            assert (count_of(world), world.nonce(key_of().address)) == (2, 2)
            await sender.close()

    asyncio.run(conversation())


def test_bundles_of_two_relays_share_a_block_and_one_bundle_at_both_lands_once(
    world: ExactWorld, tmp_path: Path
) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as first, RelayDouble(world) as second:
            one, two = client(first, tmp_path), client(second, tmp_path)
            await one.offer([bundle(world, signed())])
            await two.offer([bundle(world, signed())])
            await two.offer([bundle(world, other_key_signed(world, "somebody"), name="b")])
            build_block(world, [first, second])
            assert count_of(world) == 2
            await one.close()
            await two.close()

    asyncio.run(conversation())


def test_a_cancel_takes_back_the_askers_own_offer_alone(world: ExactWorld, tmp_path: Path) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay:
            ours, theirs = client(relay, tmp_path), client(relay, tmp_path / "others")
            offer = bundle(world, signed())
            await ours.offer([offer])
            await theirs.cancel(offer.uuid)
            assert len(relay.held) == 1
            await ours.cancel(offer.uuid)
            assert not relay.held
            build_block(world, [relay])
            assert count_of(world) == 0
            await ours.close()
            await theirs.close()

    asyncio.run(conversation())


def test_a_relay_that_cancels_nothing_says_so_and_is_not_asked(world: ExactWorld, tmp_path: Path) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay:
            sender = client(relay, tmp_path, supports=frozenset())
            with pytest.raises(Unavailable) as caught:
                await sender.cancel("u")
            assert caught.value.code == "not_supported"
            assert not relay.methods
            await sender.close()

    asyncio.run(conversation())


def test_a_trial_at_the_relay_gives_gas_or_says_what_fails(world: ExactWorld, tmp_path: Path) -> None:
    async def conversation() -> None:
        async with RelayDouble(world) as relay:
            sender = client(relay, tmp_path, supports=TRIES)
            gas = await sender.simulate(bundle(world, signed()))
            with pytest.raises(CallReverted):
                await sender.simulate(bundle(world, signed(fails=True)))
            world.send_raw(signed())
            world.mine()
            receipt = world.receipt(keccak256(signed()))
            assert receipt is not None
            assert receipt.gas_used == gas
            await sender.close()

    asyncio.run(conversation())


def test_bytes_that_fail_the_relays_trial_are_never_offered(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 2, supports=TRIES) as at:
            one = bundled(to=FAILS)
            await at.sender.sign(one)
            with pytest.raises(CallReverted):
                await at.sender.send(one)
            assert [relay.methods["eth_callBundle"] for relay in at.relays] == [1, 1]
            assert not any(relay.offers for relay in at.relays)

    asyncio.run(life())


def test_one_builder_hangs_the_other_keeps_the_bundle(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 2) as at:
            at.relays[0].manner = Manner.HANGS
            one = await at.out(bundled())
            assert one.state is State.SENT
            assert at.place.bodies(RecordKind.SENT)[0]["by"] == ["relay-1"]
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.LANDED, 1)

    asyncio.run(life())


def test_builders_named_by_the_plan_alone_see_the_bytes(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 2, supports=CANCELS) as at:
            await at.out(bundled(sending=Sending(order=(Route.BUNDLE,), builders=("relay-1",))))
            assert [len(relay.offers) for relay in at.relays] == [0, 3]

    asyncio.run(life())


@pytest.mark.parametrize(
    ("manner", "timeout_s"),
    [(Manner.REFUSES, PATIENT_S), (Manner.SWALLOWS, 2.0), (Manner.IDLE, PATIENT_S), (Manner.DEAF, PATIENT_S)],
)
def test_no_bytes_reach_the_public_mempool_whatever_becomes_of_the_bundle(
    manner: Manner, timeout_s: float, world: ExactWorld, tmp_path: Path
) -> None:
    """Refused, swallowed, expired, cancelled in vain: the public endpoint is never handed a byte."""

    async def life() -> None:
        async with stand(world, tmp_path, 2, timeout_s=timeout_s) as at:
            for relay in at.relays:
                relay.manner = manner
            one = await at.out(bundled())
            assert at.place.in_mempool() == []
            for relay in at.relays:
                relay.manner = Manner.HONEST if manner is not Manner.DEAF else manner
            one.unwanted = "a guard fails" if manner is Manner.DEAF else ""
            world.mine(5 if manner is Manner.IDLE else 1)
            for _ in range(9):
                await at.follow(one)
                assert at.place.in_mempool() == []
                if one.included is not None:
                    break
                at.build()
            assert one.included is not None
            assert at.public_sends == 0

    asyncio.run(life())
