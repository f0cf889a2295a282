"""``tidegate bench decode``: hot events decoded a second, beside eth-abi on the same logs.

The logs are a day's mixture as a trader meets it: transfers, trades on both Uniswaps, Aave's rates.
``logs_s`` is the way that millions travel, in columns; ``records_s`` is one named tuple a log, with
checksummed addresses. The peer decodes each topic and the data strictly and gives the same values,
with addresses as eth-abi writes them. Rounds alternate and the middle one counts.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from eth_abi.abi import decode, encode

from tidegate.chain import EventDecoder
from tidegate.chain.columns import decode_columns
from tidegate.chain.decoders import width
from tidegate.model import ZERO_ADDRESS, Log
from tidegate.venues import aave_v3, erc20, uniswap_v2, uniswap_v3

_LOGS = 6_000
_ROUNDS = 5
_ACCOUNTS = 400
_MIXTURE: tuple[tuple[EventDecoder[Any], int], ...] = (
    (erc20.events.TRANSFER, 45),
    (uniswap_v2.events.SYNC, 15),
    (uniswap_v2.events.SWAP, 15),
    (uniswap_v3.events.SWAP, 20),
    (aave_v3.events.RESERVE_DATA_UPDATED, 5),
)

_Groups = list[tuple[EventDecoder[Any], list[Log]]]


def run(logs: int = _LOGS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Return logs a second in columns and as records, and the peer's."""
    groups = _groups(logs)
    count = sum(len(listed) for _, listed in groups)
    rates: dict[str, list[float]] = {"columns": [], "records": [], "peer": []}
    for _ in range(rounds):
        rates["columns"].append(_rate(count, lambda: _columns(groups)))
        rates["records"].append(_rate(count, lambda: _records(groups)))
        rates["peer"].append(_rate(count, lambda: _peer(groups)))
    return {
        "name": "decode",
        "peer": "eth-abi, each topic and the data of the same logs, strict",
        "ratio": _ratio(rates["columns"], rates["peer"]),
        "logs_s": round(statistics.median(rates["columns"])),
        "records_s": round(statistics.median(rates["records"])),
        "records_ratio": _ratio(rates["records"], rates["peer"]),
        "peer_logs_s": round(statistics.median(rates["peer"])),
        "logs": count,
        "rounds": rounds,
    }


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return round(statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True)), 1)


def _rate(count: int, work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def _columns(groups: _Groups) -> None:
    for decoder, logs in groups:
        decode_columns(decoder, logs)


def _records(groups: _Groups) -> None:
    for decoder, logs in groups:
        for log in logs:
            decoder.decode(log)


def _peer(groups: _Groups) -> None:
    for decoder, logs in groups:
        kinds = [argument.kind for argument in decoder.arguments if not argument.is_indexed]
        indexed = [[argument.kind] for argument in decoder.arguments if argument.is_indexed]
        for log in logs:
            for kind, topic in zip(indexed, log.topics[1:], strict=True):
                decode(kind, topic)
            decode(kinds, log.data)


def _groups(count: int) -> _Groups:
    chance = random.Random(7)
    accounts = [bytes(12) + chance.randbytes(20) for _ in range(_ACCOUNTS)]
    shares = sum(share for _, share in _MIXTURE)
    return [
        (decoder, [_log(decoder, chance, accounts) for _ in range(count * share // shares)])
        for decoder, share in _MIXTURE
    ]


def _log(decoder: EventDecoder[Any], chance: random.Random, accounts: list[bytes]) -> Log:
    topics, data = [decoder.topic], b""
    for argument in decoder.arguments:
        family, bits = width(argument.kind)
        if family == "address":
            word = chance.choice(accounts)
        elif bits == 24:  # ticks of a day lie close together
            word = encode(["int24"], [chance.randrange(200_000, 202_000)])
        else:
            size = chance.randrange(10**15, 10**21)
            signed = chance.choice((-1, 1)) * size if family == "int" else size
            word = encode([argument.kind], [signed])
        if argument.is_indexed:
            topics.append(word)
        else:
            data += word
    return Log(ZERO_ADDRESS, tuple(topics), data)
