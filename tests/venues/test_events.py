"""Every hot event, record by record and in columns, against eth-abi on random and malformed logs."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from eth_abi import decode as peer_decode
from eth_abi import encode as peer_encode
from eth_abi.exceptions import DecodingError
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.chain import EventDecoder, EventTable, address, keccak256
from tidegate.chain.columns import decode_columns, floats, integers
from tidegate.chain.decoders import width
from tidegate.model import ZERO_ADDRESS, Divergence, Log
from tidegate.venues import (
    aave_v3,
    balancer_v2,
    chainlink,
    erc20,
    morpho_blue,
    uniswap_v2,
    uniswap_v3,
    weth,
)

TABLES = {
    "aave_v3": aave_v3.events,
    "balancer_v2": balancer_v2.events,
    "chainlink": chainlink.events,
    "erc20": erc20.events,
    "morpho_blue": morpho_blue.events,
    "uniswap_v2": uniswap_v2.events,
    "uniswap_v3": uniswap_v3.events,
    "weth": weth.events,
}
DECODERS = {
    f"{venue}.{name}": value
    for venue, module in TABLES.items()
    for name, value in vars(module).items()
    if isinstance(value, EventDecoder)
}

# First topics as explorers show them: written by hand, so that a wrong declaration can not agree with itself.
TOPICS = {
    "erc20.TRANSFER": "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    "erc20.APPROVAL": "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
    "uniswap_v2.SYNC": "1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1",
    "uniswap_v2.SWAP": "d78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822",
    "uniswap_v3.SWAP": "c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",
    "uniswap_v3.MINT": "7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde",
    "uniswap_v3.BURN": "0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c",
    "aave_v3.SUPPLY": "2b627736bca15cd5381dcf80b0bf11fd197d01a037c52b927a881a10fb73ba61",
    "aave_v3.BORROW": "b3d084820fb1a9decffb176436bd02558d15fac9b0ddfed8c465bc7359d7dce0",
    "aave_v3.REPAY": "a534c8dbe71f871f9f3530e97a74601fea17b426cae02e1c5aee42c96c784051",
    "aave_v3.WITHDRAW": "3115d1449a7b732c986cba18244e897a450f61e1bb8d589cd2e69e6c8924f9f7",
    "aave_v3.LIQUIDATION_CALL": "e413a321e8681d831f4dbccbca790d2952b56f977908e45be37335533e005286",
    "aave_v3.RESERVE_DATA_UPDATED": "804c9b842b2748a22bb64b345453a3de7ca54a6ca45ce00d415894979e22897a",
    "balancer_v2.FLASH_LOAN": "0d7d75e01ab95780d3cd1c8ec0dd6c2ce19e3a20427eec8bf53283b6fb8e95f0",
    "morpho_blue.FLASH_LOAN": "c76f1b4fe4396ac07a9fa55a415d4ca430e72651d37d3401f3bed7cb13fc4f12",
    "chainlink.ANSWER_UPDATED": "0559884fd3a460db3073b7fc896cc77986f16e378210ded43186175bf646fc5f",
    "weth.DEPOSIT": "e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c",
    "weth.WITHDRAWAL": "7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65",
}


def split(decoder: EventDecoder[Any]) -> tuple[list[str], list[str]]:
    """Return the types in the topics and in the data."""
    indexed = [argument.kind for argument in decoder.arguments if argument.is_indexed]
    return indexed, [argument.kind for argument in decoder.arguments if not argument.is_indexed]


def value_of(kind: str) -> st.SearchStrategy[Any]:
    family, bits = width(kind)
    match family:
        case "address":
            return st.binary(min_size=20, max_size=20).map(address)
        case "bool":
            return st.booleans()
        case "uint":
            return st.integers(0, 2**bits - 1)
        case _:
            return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def log_of(decoder: EventDecoder[Any], values: tuple[Any, ...]) -> Log:
    """Return the log of these values, encoded by eth-abi."""
    indexed, plain = [], []
    for argument, value in zip(decoder.arguments, values, strict=True):
        (indexed if argument.is_indexed else plain).append(value)
    kinds, rest = split(decoder)
    topics = (peer_encode([kind], [value]) for kind, value in zip(kinds, indexed, strict=True))
    return Log(ZERO_ADDRESS, (decoder.topic, *topics), peer_encode(rest, plain))


def peer(decoder: EventDecoder[Any], log: Log) -> tuple[Any, ...]:
    """Return the values as a strict eth-abi reads them. Raises ``DecodingError``."""
    kinds, rest = split(decoder)
    indexed = [peer_decode([kind], topic)[0] for kind, topic in zip(kinds, log.topics[1:], strict=True)]
    values = {True: iter(indexed), False: iter(peer_decode(rest, log.data))}
    found = [(argument.kind, next(values[argument.is_indexed])) for argument in decoder.arguments]
    return tuple(address(value) if kind == "address" else value for kind, value in found)


def in_columns(decoder: EventDecoder[Any], logs: list[Log]) -> list[tuple[Any, ...]]:
    """Return the records again from the columns."""
    table = decode_columns(decoder, logs)
    exact = []
    for argument in decoder.arguments:
        family, _ = width(argument.kind)
        column = table[argument.name]
        if family in ("uint", "int"):
            exact.append(integers(column, is_signed=family == "int"))
        elif family == "address":
            exact.append([address(value) for value in column.tolist()])
        else:
            exact.append(column.tolist())
    return list(zip(*exact, strict=True))


def test_every_hot_event_of_the_street_has_its_decoder() -> None:
    assert {name: decoder.topic.hex() for name, decoder in DECODERS.items()} == TOPICS
    assert all(decoder.topic == keccak256(decoder.signature.encode()) for decoder in DECODERS.values())


@pytest.mark.parametrize("name", sorted(DECODERS))
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_records_and_columns_equal_eth_abi_on_random_logs(name: str, data: st.DataObject) -> None:
    decoder = DECODERS[name]
    record = st.tuples(*(value_of(argument.kind) for argument in decoder.arguments))
    records = data.draw(st.lists(record, min_size=1, max_size=4))
    logs = [log_of(decoder, values) for values in records]
    assert [decoder.decode(log) for log in logs] == records
    assert [peer(decoder, log) for log in logs] == records
    assert in_columns(decoder, logs) == records


@pytest.mark.parametrize("name", sorted(DECODERS))
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_malformed_words_get_the_verdict_of_a_strict_eth_abi(name: str, data: st.DataObject) -> None:
    """Any bytes of the right length: dirty high bits are refused by both, or read alike by both."""
    decoder = DECODERS[name]
    word = st.one_of(
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=20, max_size=20).map(lambda value: bytes(12) + value),
        st.integers(-(2**24), 2**24).map(lambda value: (value % 2**256).to_bytes(32, "big")),
        st.sampled_from([bytes(32), bytes(31) + b"\x01", bytes(31) + b"\x02", b"\xff" * 32]),
    )
    topics = data.draw(st.lists(word, min_size=decoder.topic_count - 1, max_size=decoder.topic_count - 1))
    words = data.draw(st.lists(word, min_size=decoder.data_length // 32, max_size=decoder.data_length // 32))
    log = Log(ZERO_ADDRESS, (decoder.topic, *topics), b"".join(words))
    try:
        expected = peer(decoder, log)
    except DecodingError:
        with pytest.raises(Divergence, match="outside an argument's type"):
            decoder.decode(log)
        with pytest.raises(Divergence, match="log 0 of 1"):
            decode_columns(decoder, [log])
    else:
        assert decoder.decode(log) == expected
        assert in_columns(decoder, [log]) == [expected]


def zeros(decoder: EventDecoder[Any]) -> Log:
    topics = (decoder.topic, *[bytes(32)] * (decoder.topic_count - 1))
    return Log(ZERO_ADDRESS, topics, bytes(decoder.data_length))


def malformed(decoder: EventDecoder[Any]) -> dict[str, Log]:
    """Return logs that are refused: those that eth-abi refuses too, and those where we are stricter."""
    log = zeros(decoder)
    return {
        "short data": Log(log.address, log.topics, log.data[:-1]),
        "no data": Log(log.address, log.topics, b""),
        "long data (stricter)": Log(log.address, log.topics, log.data + bytes(32)),
        "a topic too few": Log(log.address, log.topics[:-1], log.data),
        "a topic too many": Log(log.address, (*log.topics, bytes(32)), log.data),
        "another topic": Log(log.address, (bytes(32), *log.topics[1:]), log.data),
        "no topics": Log(log.address, (), log.data),
    }


@pytest.mark.parametrize("name", sorted(DECODERS))
@pytest.mark.parametrize("flaw", list(malformed(erc20.events.TRANSFER)))
def test_short_data_and_wrong_topic_counts_are_refused(name: str, flaw: str) -> None:
    decoder = DECODERS[name]
    log, good = malformed(decoder)[flaw], zeros(decoder)
    assert not decoder.fits(log)
    with pytest.raises(Divergence, match="the log is no") as caught:
        decoder.decode(log)
    assert caught.value.code == "event"
    with pytest.raises(Divergence, match="log 2 of 3"):
        decode_columns(decoder, [good, good, log])


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_a_topic_that_is_no_word_is_refused(name: str) -> None:
    decoder = DECODERS[name]
    if decoder.topic_count == 1:
        assert name == "uniswap_v2.SYNC"
        return
    log = zeros(decoder)
    for short in (b"", bytes(31), bytes(33)):
        bad = Log(log.address, (*log.topics[:-1], short), log.data)
        with pytest.raises(Divergence):
            decoder.decode(bad)
        with pytest.raises(Divergence):
            decode_columns(decoder, [bad])


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_single_dirty_bit_is_refused_where_eth_abi_refuses_it(name: str) -> None:
    decoder = DECODERS[name]
    log = zeros(decoder)
    whole = b"".join(chain(log.topics[1:], [log.data]))
    refused = 0
    for bit in range(0, 8 * len(whole), 3):
        changed = bytearray(whole)
        changed[bit // 8] ^= 0x80 >> bit % 8
        cut = 32 * (decoder.topic_count - 1)
        topics = tuple(bytes(changed[start : start + 32]) for start in range(0, cut, 32))
        dirty = Log(log.address, (decoder.topic, *topics), bytes(changed[cut:]))
        try:
            expected = peer(decoder, dirty)
        except DecodingError:
            refused += 1
            assert decoder.refusal(dirty) is not None
        else:
            assert decoder.decode(dirty) == expected
    has_narrow = any(width(argument.kind).bits < 256 for argument in decoder.arguments)
    assert (refused > 0) is has_narrow


def test_an_erc721_transfer_is_no_erc20_transfer() -> None:
    transfer = erc20.events.TRANSFER
    log = Log(ZERO_ADDRESS, (transfer.topic, bytes(32), bytes(32), bytes(32)), b"")
    assert erc20.events.EVENTS.decode(log) is None
    with pytest.raises(Divergence):
        transfer.decode(log)


def test_a_table_sends_each_log_to_its_decoder() -> None:
    table: EventTable = uniswap_v3.events.EVENTS
    for decoder in (uniswap_v3.events.SWAP, uniswap_v3.events.MINT, uniswap_v3.events.BURN):
        assert type(table.decode(zeros(decoder))) is decoder.record
    assert table.decode(Log(ZERO_ADDRESS, (), b"")) is None
    assert table.topics == tuple(TOPICS_OF_V3)


TOPICS_OF_V3 = [bytes.fromhex(TOPICS[f"uniswap_v3.{name}"]) for name in ("SWAP", "MINT", "BURN")]


def test_no_logs_are_empty_columns() -> None:
    table = decode_columns(uniswap_v3.events.SWAP, [])
    assert (len(table), table.dtype.names) == (0, uniswap_v3.events.Swap._fields)


@given(st.lists(st.integers(-(2**255), 2**255 - 1), min_size=1, max_size=20))
def test_floats_of_wide_columns_are_within_their_stated_error(values: list[int]) -> None:
    logs = [
        log_of(uniswap_v3.events.SWAP, (ZERO_ADDRESS, ZERO_ADDRESS, value, 0, 0, 0, 0)) for value in values
    ]
    column = decode_columns(uniswap_v3.events.SWAP, logs)["amount0"]
    assert integers(column, is_signed=True) == values
    for approximate, exact in zip(floats(column, is_signed=True), values, strict=True):
        assert abs(int(approximate) - exact) <= abs(exact) / 2**51
