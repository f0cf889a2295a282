"""Compiling a decoder from a declaration: what is taken, and what is refused with a reason."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tidegate.chain import EventDecoder, EventTable, event_topic
from tidegate.chain.columns import decode_columns
from tidegate.model import ZERO_ADDRESS, ConfigError, Log


class One(NamedTuple):
    value: int


class Empty(NamedTuple):
    pass


class Mixed(NamedTuple):
    tag: bytes
    digest: bytes
    flag: bool
    small: int
    signed: int


def test_an_event_of_one_argument_and_of_none() -> None:
    one = EventDecoder(One, "One(uint8 value)")
    assert one.decode(Log(ZERO_ADDRESS, (one.topic,), bytes(31) + b"\x05")) == One(5)
    none = EventDecoder(Empty, "Empty()")
    assert none.decode(Log(ZERO_ADDRESS, (none.topic,), b"")) == Empty()
    assert none.topic == event_topic("Empty()")


def test_fixed_bytes_bools_and_narrow_integers_in_topics_and_data() -> None:
    mixed = EventDecoder(
        Mixed, "Mixed(bytes4 indexed tag, bytes32 indexed digest, bool flag, uint64 small, int8 signed)"
    )
    values = Mixed(b"\x01\x02\x03\x04", b"\x09" * 32, True, 2**64 - 1, -128)
    log = Log(
        ZERO_ADDRESS,
        (mixed.topic, values.tag + bytes(28), values.digest),
        bytes(31) + b"\x01" + values.small.to_bytes(32, "big") + b"\xff" * 31 + b"\x80",
    )
    assert mixed.decode(log) == values
    table = decode_columns(mixed, [log])
    assert [str(table.dtype[name]) for name in Mixed._fields] == ["|V4", "|V32", "bool", "uint64", "int8"]
    assert table[0].tolist() == tuple(values)
    dirty = Log(ZERO_ADDRESS, (mixed.topic, values.tag + bytes(27) + b"\x01", values.digest), log.data)
    assert mixed.refusal(dirty) is not None


@pytest.mark.parametrize(
    "declaration",
    [
        "One(string value)",
        "One(bytes value)",
        "One(uint256[] value)",
        "One(uint value)",
        "One(uint7 value)",
        "One(uint264 value)",
        "One(bytes33 value)",
        "One(uint256 other)",
        "One(uint256 value",
        "One(uint256)",
        "One(uint256 value, uint256 more)",
        "(uint256 value)",
    ],
)
def test_a_declaration_that_has_no_fixed_places_is_refused(declaration: str) -> None:
    with pytest.raises(ConfigError):
        EventDecoder(One, declaration)


def test_more_than_three_indexed_arguments_are_refused() -> None:
    class Four(NamedTuple):
        a: int
        b: int
        c: int
        d: int

    listed = ", ".join(f"uint256 indexed {name}" for name in Four._fields)
    with pytest.raises(ConfigError, match="not an event's declaration"):
        EventDecoder(Four, f"Four({listed})")


def test_two_decoders_for_the_same_event_are_refused() -> None:
    one = EventDecoder(One, "One(uint8 value)")
    with pytest.raises(ConfigError, match="the same event"):
        EventTable([one, EventDecoder(One, "One(uint8 value)")])
