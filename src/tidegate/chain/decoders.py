"""Fixed-offset decoders for hot events: compiled once from a declaration, then slices and integers.

An event whose arguments all have a fixed size has each of them at one offset, in the topics or in the
data. So decoding it is cutting at known places and checking what is cut. Events with strings, bytes or
arrays are refused at compilation: those are for ``decode_output``.

Verdicts are those of a strict eth-abi on every word: bits outside an argument's type are refused.
Stricter than that: the data must have exactly the length of its arguments (eth-abi ignores bytes
behind them), and a log must carry exactly the topics that the declaration says.

Examples
--------
>>> from typing import NamedTuple
>>> class Sync(NamedTuple):
...     reserve0: int
...     reserve1: int
>>> sync = EventDecoder(Sync, "Sync(uint112 reserve0, uint112 reserve1)")
>>> log = Log(Address("0x" + "00" * 20), (sync.topic,), (5).to_bytes(32, "big") + (7).to_bytes(32, "big"))
>>> sync.decode(log)
Sync(reserve0=5, reserve1=7)
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from operator import call, itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from tidegate.chain.codecs import address, event_topic
from tidegate.model import Address, ConfigError, Divergence, Log

Record = TypeVar("Record", bound=tuple[Any, ...])

_DECLARATION = re.compile(r"(\w+)\((.*)\)")
_ARGUMENT = re.compile(r"(\w+)(?: (indexed))? (\w+)")
_WORD_TYPE = re.compile(r"(uint|int|bytes)(\d+)|address|bool")


class Argument(msgspec.Struct, frozen=True):
    """One argument of an event. ``place`` counts words: in the topics behind the first, or in the data."""

    name: str
    kind: str
    is_indexed: bool
    place: int


class EventDecoder(Generic[Record]):
    """Decodes one event.

    Parameters
    ----------
    record
        The named tuple that a log becomes; its fields are the event's arguments, in order.
    declaration
        The event as Solidity or Vyper's ABI has it: ``Transfer(address indexed sender, uint256 value)``.
        Types are written in full (``uint256``), names are those of ``record``.

    Raises
    ------
    ConfigError
        If the declaration is not one, has an argument without a fixed size, or other names.
    """

    def __init__(self, record: type[Record], declaration: str) -> None:
        self.record = record
        self.name, self.arguments = _parsed(declaration)
        names = tuple(argument.name for argument in self.arguments)
        if getattr(record, "_fields", None) != names:
            raise ConfigError(
                f"{self.name}: the record has other fields than the event",
                code="event",
                found=", ".join(getattr(record, "_fields", ())) or "no named tuple",
                allowed=", ".join(names),
            )
        self.signature = f"{self.name}({','.join(argument.kind for argument in self.arguments)})"
        self.topic = event_topic(self.signature)
        self.topic_count = 1 + sum(argument.is_indexed for argument in self.arguments)
        self.data_length = 32 * sum(not argument.is_indexed for argument in self.arguments)
        layout, pads, places, self._readers = _compiled(self.arguments, self.topic_count)
        self._cut = struct.Struct(">" + layout).unpack
        self._fixed, self._values = _picker([0, *pads]), _picker(places)
        blank = (self.topic, *[b""] * (self.topic_count - 1), *self._cut(bytes(self.data_length)))
        self._piece_count, self._clean = len(blank), self._fixed(blank)
        self._new: Callable[[Iterable[Any]], Record] = partial(tuple.__new__, record)

    def fits(self, log: Log) -> bool:
        """Say whether a log has this event's topic, number of topics and length of data."""
        return (
            len(log.topics) == self.topic_count
            and log.topics[0] == self.topic
            and len(log.data) == self.data_length
        )

    def decode(self, log: Log) -> Record:
        """Return a log's arguments.

        Raises
        ------
        Divergence
            If it is another event, has another number of topics or length of data, or bits outside
            an argument's type.
        """
        try:
            pieces = (*log.topics, *self._cut(log.data))
            if len(pieces) == self._piece_count and self._fixed(pieces) == self._clean:
                return self._new(map(call, self._readers, self._values(pieces)))
        except (ValueError, struct.error) as error:
            raise self._refused(log) from error
        raise self._refused(log)

    def refusal(self, log: Log) -> Divergence | None:
        """Return why a log is refused, or none if it is taken."""
        try:
            self.decode(log)
        except Divergence as error:
            return error
        return None

    def _refused(self, log: Log) -> Divergence:
        found = "bits outside an argument's type"
        if not self.fits(log):
            topic = "0x" + log.topics[0].hex() if log.topics else "none"
            found = f"{len(log.topics)} topics, {len(log.data)} bytes of data, first topic {topic}"
        return Divergence(
            f"the log is no {self.name}",
            code="event",
            found=found,
            allowed=f"{self.topic_count} topics, {self.data_length} bytes, {self.signature}",
            fix="check that the contract is the one you mean, on this chain",
        )


class EventTable:
    """Several decoders at once: each log goes to the one for its first topic and number of topics.

    Two events may share a topic and differ in how many arguments are indexed (the transfers of ERC-20
    and ERC-721 do).
    """

    def __init__(self, decoders: Sequence[EventDecoder[Any]]) -> None:
        self._decoders = {(decoder.topic, decoder.topic_count): decoder for decoder in decoders}
        if len(self._decoders) != len(decoders):
            raise ConfigError("two decoders are for the same event", code="event")

    @property
    def topics(self) -> tuple[bytes, ...]:
        """Return the first topics, for a filter."""
        return tuple(dict.fromkeys(topic for topic, _ in self._decoders))

    def decoder(self, log: Log) -> EventDecoder[Any] | None:
        """Return the decoder for a log, or none if there is none."""
        return self._decoders.get((log.topics[0], len(log.topics))) if log.topics else None

    def decode(self, log: Log) -> Any:
        """Return a log's record, or none if no decoder is for it. Raises ``Divergence`` as they do."""
        decoder = self.decoder(log)
        return None if decoder is None else decoder.decode(log)


class _Width(NamedTuple):
    family: str
    bits: int


def width(kind: str) -> _Width:
    """Return what a word holds: ``uint``, ``int``, ``bytes``, ``address`` or ``bool``, and how many bits."""
    found = _WORD_TYPE.fullmatch(kind)
    if found is None or (found[1] in ("uint", "int") and not _is_integer_width(int(found[2]))):
        raise ConfigError(
            f"{kind} has no fixed place in a log",
            code="event",
            allowed="uint8 to uint256, int8 to int256, bytes1 to bytes32, address, bool",
            fix="decode such an event with decode_output",
        )
    if kind == "address":
        return _Width(kind, 160)
    if kind == "bool":
        return _Width(kind, 1)
    bits = int(found[2]) * (8 if found[1] == "bytes" else 1)
    if not 8 <= bits <= 256:
        raise ConfigError(f"there is no type {kind}", code="event")
    return _Width(found[1], bits)


def _is_integer_width(bits: int) -> bool:
    return bits % 8 == 0 and 8 <= bits <= 256


def _parsed(declaration: str) -> tuple[str, tuple[Argument, ...]]:
    whole = _DECLARATION.fullmatch(declaration)
    arguments: list[Argument] = []
    places = {True: 1, False: 0}
    for part in whole[2].split(", ") if whole and whole[2] else ():
        found = _ARGUMENT.fullmatch(part)
        if found is None:
            whole = None
            break
        width(found[1])
        is_indexed = found[2] is not None
        arguments.append(Argument(found[3], found[1], is_indexed, places[is_indexed]))
        places[is_indexed] += 1
    if whole is None or places[True] > 4:
        raise ConfigError(
            "not an event's declaration",
            code="event",
            found=repr(declaration),
            allowed='like "Transfer(address indexed sender, uint256 value)", at most three indexed',
        )
    return whole[1], tuple(arguments)


def _compiled(
    arguments: Sequence[Argument], topic_count: int
) -> tuple[str, list[int], list[int], tuple[Callable[[Any], Any], ...]]:
    """Return how to cut the data, which pieces must be zero, and where and how each argument is read.

    Pieces count from the topics on. An unsigned argument in the data is cut behind its padding, so that
    all paddings are compared at once; anything else is read from its whole word.
    """
    layout, pads, piece_of = "", [], {}
    pieces = topic_count
    for argument in arguments:
        family, bits = width(argument.kind)
        if argument.is_indexed:
            piece_of[argument.name] = argument.place
        elif family == "uint" and bits < 256:
            layout += f"{32 - bits // 8}s{bits // 8}s"
            pads.append(pieces)
            piece_of[argument.name] = pieces + 1
            pieces += 2
        else:
            layout += "32s"
            piece_of[argument.name] = pieces
            pieces += 1
    readers = tuple(_reader(argument) for argument in arguments)
    return layout, pads, [piece_of[argument.name] for argument in arguments], readers


def _picker(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Return what picks ``places``, always as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda pieces: tuple(pieces[place] for place in places)


def _reader(argument: Argument) -> Callable[[Any], Any]:
    read = _word_reader(argument)
    return partial(_whole_topic, read) if argument.is_indexed and read is not _address else read


def _whole_topic(read: Callable[[Any], Any], topic: bytes) -> Any:
    if len(topic) != 32:
        raise ValueError(f"a topic has {len(topic)} bytes")
    return read(topic)


def _word_reader(argument: Argument) -> Callable[[Any], Any]:
    family, bits = width(argument.kind)
    match family:
        case "address":
            return _address
        case "bool":
            return _boolean
        case "bytes":
            return bytes if bits == 256 else partial(_octets, bits // 8)
        case "uint":
            is_checked = argument.is_indexed and bits < 256
            return partial(_unsigned, 1 << bits) if is_checked else int.from_bytes
        case _:
            if bits == 256:
                return partial(int.from_bytes, signed=True)
            return lru_cache(maxsize=4_096)(partial(_signed, 1 << (bits - 1)))


def _unsigned(limit: int, word: bytes) -> int:
    value = int.from_bytes(word)
    if value >= limit:
        raise ValueError(f"0x{word.hex()} has bits outside its type")
    return value


def _signed(limit: int, word: bytes) -> int:
    value = int.from_bytes(word, signed=True)
    if not -limit <= value < limit:
        raise ValueError(f"0x{word.hex()} has bits outside its type")
    return value


def _octets(length: int, word: bytes) -> bytes:
    if any(word[length:]):
        raise ValueError(f"0x{word.hex()} has bits outside its type")
    return word[:length]


def _boolean(word: bytes) -> bool:
    value = int.from_bytes(word)
    if value > 1:
        raise ValueError(f"0x{word.hex()} is no bool")
    return value == 1


@lru_cache(maxsize=65_536)
def _address(word: bytes) -> Address:
    if len(word) != 32 or any(word[:12]):
        raise ValueError(f"0x{word.hex()} has bits outside its type")
    return address(word[12:])
