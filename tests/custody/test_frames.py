"""Frames: whatever bytes come, there is a list of requests or one named offence, and nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.custody.frames import (
    FRAME_BYTES_MAX,
    LENGTH_BYTES,
    PAYLOAD_BYTES_MAX,
    BrokenFrame,
    FrameBuffer,
    Offence,
    decode_answers,
    decode_requests,
    encode_frame,
)
from tidegate.custody.nesting import DEPTH_MAX, is_shallow
from tidegate.custody.requests import (
    REQUESTS_MAX,
    AddressOf,
    Freeze,
    LoadCapability,
    Refused,
    Request,
    SignTransaction,
    SignTypedData,
    Status,
)
from tidegate.custody.typed_data import decode_typed
from tidegate.model import Denied, Reason, Stage

DIGEST = "ab" * 32
texts = st.text(min_size=1, max_size=20)
requests = st.one_of(
    st.just(Status()),
    st.builds(AddressOf, key=texts),
    st.builds(
        SignTransaction,
        key=texts,
        desk=texts,
        stage=st.sampled_from(Stage),
        capability_id=st.just(DIGEST),
        intent_id=texts,
        plan_digest=st.just(DIGEST),
        unsigned=st.binary(min_size=1, max_size=200),
    ),
    st.builds(
        SignTypedData,
        key=texts,
        desk=texts,
        stage=st.sampled_from(Stage),
        capability_id=st.just(DIGEST),
        intent_id=texts,
        typed=st.binary(min_size=1, max_size=200),
    ),
    st.builds(LoadCapability, envelope=st.binary(min_size=2, max_size=200)),
    st.builds(Freeze, reason=texts, by=texts),
)


def whole(octets: bytes) -> bytes:
    payload = FrameBuffer().feed(octets)
    assert payload is not None
    return payload


@given(st.lists(requests, min_size=1, max_size=10), st.data())
def test_a_frame_arrives_whole_however_it_is_cut(sent: list[Request], data: st.DataObject) -> None:
    octets = encode_frame(sent)
    cut = data.draw(st.integers(0, len(octets)))
    buffer = FrameBuffer()
    first = buffer.feed(octets[:cut])
    payload = buffer.feed(octets[cut:]) if cut < len(octets) else first
    assert payload is not None
    assert first is None or cut == len(octets)
    assert decode_requests(payload) == sent
    assert buffer.is_empty


@given(st.binary(max_size=300))
def test_random_bytes_give_requests_or_an_offence(octets: bytes) -> None:
    try:
        payload = FrameBuffer().feed(octets)
        if payload is not None:
            decode_requests(payload)
    except BrokenFrame:
        return  # the one other answer; any exception else fails the test


@given(st.binary(min_size=1, max_size=200))
def test_random_payloads_give_requests_or_an_offence(payload: bytes) -> None:
    try:
        decoded = decode_requests(payload)
    except BrokenFrame:
        return  # the one other answer; any exception else fails the test
    assert 1 <= len(decoded) <= REQUESTS_MAX


@given(st.lists(requests, min_size=1, max_size=3), st.data())
def test_a_changed_byte_gives_requests_or_an_offence(sent: list[Request], data: st.DataObject) -> None:
    octets = bytearray(encode_frame(sent))
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    try:
        payload = FrameBuffer().feed(bytes(octets))
        if payload is not None:
            for one in decode_requests(payload):
                assert isinstance(one, Request)
    except BrokenFrame:
        return  # the one other answer; any exception else fails the test


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.binary(max_size=40)
        | st.text(max_size=40),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
        max_leaves=20,
    )
)
def test_any_msgpack_gives_requests_or_an_offence(value: object) -> None:
    try:
        decode_requests(msgspec.msgpack.encode(value))
    except BrokenFrame:
        return  # the one other answer; any exception else fails the test


def test_the_longest_frame_is_64_kib_with_its_length() -> None:
    room = PAYLOAD_BYTES_MAX - 5  # a list of one string: 1 + 3 bytes before it, and one to spare
    longest = encode_frame(["x" * (room + 1)])
    assert len(longest) == FRAME_BYTES_MAX
    assert whole(longest)
    with pytest.raises(ValueError, match="at most"):
        encode_frame(["x" * (room + 2)])
    with pytest.raises(BrokenFrame) as oversized:
        FrameBuffer().feed((PAYLOAD_BYTES_MAX + 1).to_bytes(LENGTH_BYTES))
    assert oversized.value.offence is Offence.OVERSIZED


def test_an_oversized_frame_is_refused_by_its_length_before_it_is_kept() -> None:
    with pytest.raises(BrokenFrame):
        FrameBuffer().feed(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("message", "offence"),
    [
        ([], Offence.EMPTY),
        ([{"type": "sign"}], Offence.UNKNOWN_VERB),
        ([{"type": "status"}, {"type": "sign"}], Offence.UNKNOWN_VERB),
        ([{"type": 7}], Offence.MALFORMED),
        ([{}], Offence.MALFORMED),
        ([{"type": "address", "key": ""}], Offence.MALFORMED),
        ([{"type": "address", "key": "x" * 65}], Offence.MALFORMED),
        ([{"type": "address"}], Offence.MALFORMED),
        ([{"type": "status", "extra": True}], Offence.MALFORMED),
        ([{"type": "load_capability", "envelope": "text"}], Offence.MALFORMED),
        ([{"type": "load_capability", "envelope": b"x" * 49_153}], Offence.MALFORMED),
        ({"type": "status"}, Offence.MALFORMED),
        ("status", Offence.MALFORMED),
        (None, Offence.MALFORMED),
        ([Status()] * (REQUESTS_MAX + 1), Offence.TOO_MANY_REQUESTS),
    ],
)
def test_each_wrong_form_has_its_offence(message: object, offence: Offence) -> None:
    with pytest.raises(BrokenFrame) as broken:
        decode_requests(msgspec.msgpack.encode(message))
    assert broken.value.offence is offence


def test_sixty_four_requests_share_a_frame() -> None:
    assert len(decode_requests(whole(encode_frame([Status()] * REQUESTS_MAX)))) == REQUESTS_MAX


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\x91\x82\xa1a",
        b"\x91\x82\xa4type\xa6status\xa1a",
        b"\x91\x82\xa4type\xa7address\xa3key",
        b"\x91\x82\xa4type\xa6freeze\xa9approvals",
        b"\x91\x81",
    ],
)
@pytest.mark.parametrize("nest", [b"\x91", b"\x81\xa1a"])
def test_deep_nesting_is_malformed_and_no_crash(before: bytes, nest: bytes) -> None:
    """Sixty thousand arrays in one frame end a process whose decoder follows them on the C stack."""
    with pytest.raises(BrokenFrame) as broken:
        decode_requests(before + nest * ((PAYLOAD_BYTES_MAX - len(before)) // len(nest)))
    assert broken.value.offence is Offence.MALFORMED


@pytest.mark.parametrize("nest", [b"[", b'{"":'])
def test_typed_data_that_nests_too_deep_is_refused_and_no_crash(nest: bytes) -> None:
    head = b'{"types":{},"primaryType":"","domain":{},"message":{"a":'
    with pytest.raises(Denied) as refused:
        decode_typed(head + nest * ((60_000 - len(head)) // len(nest)))
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("raw", "shallow"),
    [
        (b"[" * DEPTH_MAX + b"]" * DEPTH_MAX, True),
        (b"[" * (DEPTH_MAX + 1), False),
        (b'"' + b"[" * 1000 + b'"', True),
        (b'"\\"' + b"[" * 1000 + b'"', True),
        (b'"\\\\"' + b"[" * 1000, False),
        (b'"' + b"[" * 1000, True),
        (b"[]" * 1000, True),
        (b'{"a":' * (DEPTH_MAX + 1), False),
        (b"]" * 10 + b"[" * (DEPTH_MAX + 11), False),
    ],
)
def test_only_brackets_outside_of_text_nest(raw: bytes, shallow: bool) -> None:
    assert is_shallow(raw) is shallow


def test_what_was_sent_is_not_repeated_in_the_offence() -> None:
    secret = "a-secret-that-was-sent-to-the-wrong-socket"
    for message in (
        [{"type": secret}],
        [{"type": "status", secret: 1}],
        [{"type": "address", "key": [secret]}],
    ):
        with pytest.raises(BrokenFrame) as broken:
            decode_requests(msgspec.msgpack.encode(message))
        assert secret not in str(broken.value)


def test_answers_are_read_as_strictly() -> None:
    refused = Refused(check="nonce", reason=Reason.NONCE_REUSED, message="no")
    assert decode_answers(whole(encode_frame([refused]))) == [refused]
    with pytest.raises(BrokenFrame):
        decode_answers(msgspec.msgpack.encode([{"type": "signed"}]))
