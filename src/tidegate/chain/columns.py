"""Many logs of one event as columns: a NumPy structured array, a field an argument.

============================== ===================== ==========================================
argument                       column                holds
============================== ===================== ==========================================
uint8 to uint64, int8 to int64 ``u1`` … ``i8``       the number itself, in the next wider type
wider integers                 ``V32``               the word: big-endian, two's complement
address                        ``V20``               the 20 bytes
bytesN                         ``VN``                the bytes
bool                           ``?``                 the truth
============================== ===================== ==========================================

No machine number holds 256 bits, so wide integers stay bytes: ``integers`` gives them exactly, for
decisions and books; ``floats`` gives them to about 15 digits, for kernels. Bytes compare and sort as
unsigned integers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.chain.decoders import Argument, EventDecoder, width
from tidegate.model import Log

_NATIVE_BITS = 64


def column_type(kind: str) -> str:
    """Return the type of the column that holds arguments of ``kind``."""
    family, bits = width(kind)
    if family == "bool":
        return "?"
    if family in ("address", "bytes"):
        return f"V{bits // 8}"
    if bits > _NATIVE_BITS:
        return "V32"
    return f"{family[0]}{_native_bytes(bits)}"


def decode_columns(decoder: EventDecoder[Any], logs: Sequence[Log]) -> NDArray[Any]:
    """Return the arguments of many logs of one event, in columns named as they are.

    Raises
    ------
    Divergence
        For the first log that ``decoder`` refuses, with its index.
    """
    table = np.empty(
        len(logs), [(argument.name, column_type(argument.kind)) for argument in decoder.arguments]
    )
    if not logs:
        return table
    topics, data = _words([log.topics for log in logs], decoder), [log.data for log in logs]
    if topics is None or {*map(len, data)} != {decoder.data_length}:
        raise _first_refused(decoder, logs)
    words = np.frombuffer(b"".join(data), np.uint8).reshape(len(logs), -1, 32)
    for argument in decoder.arguments:
        source = topics if argument.is_indexed else words
        column = _column(argument, source[:, argument.place])
        if column is None:
            raise _first_refused(decoder, logs)
        table[argument.name] = column
    return table


def integers(column: NDArray[Any], *, is_signed: bool = False) -> list[int]:
    """Return the exact integers of a column, wide or native."""
    if column.dtype.kind != "V":
        return [int(value) for value in column.tolist()]
    return [int.from_bytes(word, signed=is_signed) for word in column.tolist()]


def floats(column: NDArray[Any], *, is_signed: bool = False) -> NDArray[np.float64]:
    """Return a column as floats, each within a relative error of 2**-51. For kernels, never for books."""
    if column.dtype.kind != "V":
        return column.astype(np.float64)
    words = np.ascontiguousarray(column).view(np.uint8).reshape(len(column), 32)
    is_negative = (words[:, 0] >= 128) & is_signed
    # A negative number is read as what it lacks to -1, for the limbs of its word would cancel out.
    limbs = np.where(is_negative[:, None], ~words, words).view(">u8").astype(np.float64)
    size = ((limbs[:, 0] * 2.0**64 + limbs[:, 1]) * 2.0**64 + limbs[:, 2]) * 2.0**64 + limbs[:, 3]
    return np.where(is_negative, -(size + 1.0), size)


def _words(topics: Sequence[tuple[bytes, ...]], decoder: EventDecoder[Any]) -> NDArray[np.uint8] | None:
    if {*map(len, topics)} != {decoder.topic_count} or {*map(len, chain.from_iterable(topics))} != {32}:
        return None
    whole = np.frombuffer(b"".join(chain.from_iterable(topics)), np.uint8)
    words = whole.reshape(len(topics), decoder.topic_count, 32)
    return words if (words[:, 0] == np.frombuffer(decoder.topic, np.uint8)).all() else None


def _column(argument: Argument, words: NDArray[np.uint8]) -> NDArray[Any] | None:
    """Return one argument of every log, or none if one has bits outside its type."""
    family, bits = width(argument.kind)
    size = max(bits // 8, 1)
    pad = words[:, size:] if family == "bytes" else words[:, : 32 - size]
    expected = np.where(words[:, 32 - size] >= 128, 255, 0)[:, None] if family == "int" else 0
    if (pad != expected).any() or (family == "bool" and (words[:, 31] > 1).any()):
        return None
    match family:
        case "bool":
            return words[:, 31].astype(np.bool_)
        case "address":
            return _cut(words[:, 12:], "V20")
        case "bytes":
            return _cut(words[:, :size], f"V{size}")
        case _ if bits > _NATIVE_BITS:
            return _cut(words, "V32")
        case _:
            native = _native_bytes(bits)
            return _cut(words[:, 32 - native :], f">{family[0]}{native}")


def _cut(block: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    cut: NDArray[Any] = np.ascontiguousarray(block).view(kind)[:, 0]
    return cut


def _native_bytes(bits: int) -> int:
    return next(size for size in (1, 2, 4, 8) if bits <= 8 * size)


def _first_refused(decoder: EventDecoder[Any], logs: Sequence[Log]) -> Exception:
    for index, log in enumerate(logs):
        error = decoder.refusal(log)
        if error is not None:
            error.found = f"log {index} of {len(logs)}: {error.found}"
            return error
    raise AssertionError("the columns refuse what the decoder takes")
