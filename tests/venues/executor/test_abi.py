"""Calls to the executor and its answers."""

from dataclasses import replace

import pytest
from eth_abi import encode
from tests.venues.executor.golden import EXECUTOR, MORPHO, PROGRAM, ROUTER, USDC, WETH

from tidegate.chain import event_topic, selector
from tidegate.model import ZERO_ADDRESS, ConfigError, Divergence, Log
from tidegate.venues.executor import (
    Change,
    Executed,
    Load,
    Simulated,
    TraceEntry,
    assemble,
    decode_execute,
    decode_executed,
    decode_simulated,
    encode_accept_ownership,
    encode_apply,
    encode_cancel,
    encode_execute,
    encode_offer_ownership,
    encode_pause,
    encode_schedule,
    encode_simulate,
    encode_sweep,
    encode_sweep_nft,
    encode_tighten,
    encode_unpause,
    encode_unwind,
    gas_by_tag,
)

RAW = assemble(PROGRAM)
CHANGES = [Change.spender(ROUTER), Change.cap(64, 7)]


@pytest.mark.parametrize(
    ("encoder", "code"),
    [(encode_execute, "09c5eabe"), (encode_simulate, "24217062"), (encode_unwind, "83eb7e7a")],
)
def test_programs_as_calldata(encoder, code):
    assert encoder(RAW) == bytes.fromhex(code) + encode(["bytes"], [RAW])


def test_the_program_comes_back_from_its_calldata_and_from_no_other_bytes():
    data = encode_execute(RAW)
    assert decode_execute(data) == RAW
    for other in (encode_simulate(RAW), data + b"\0", data[:-1], data[:4], b"", data[:-30] + b"\1" * 30):
        with pytest.raises(Divergence):
            decode_execute(other)


@pytest.mark.parametrize(
    ("encoder", "code"),
    [
        (encode_schedule, "98d0fef8"),
        (encode_apply, "ea9cc3e2"),
        (encode_cancel, "04422832"),
        (encode_tighten, "8cc9ca25"),
    ],
)
def test_changes_as_calldata(encoder, code):
    triples = [(int(change.kind), change.key, change.word) for change in CHANGES]
    assert encoder(CHANGES) == bytes.fromhex(code) + encode(["(uint256,bytes32,uint256)[]"], [triples])
    assert encoder(CHANGES * 16)
    with pytest.raises(ConfigError, match="too many changes"):
        encoder(CHANGES * 16 + CHANGES[:1])


def test_administration_as_calldata():
    assert encode_pause() == selector("pause()")
    assert encode_unpause() == selector("unpause()")
    assert encode_accept_ownership() == selector("accept_ownership()")
    assert encode_offer_ownership(MORPHO)[-20:] == bytes.fromhex(MORPHO[2:])
    assert encode_sweep_nft(MORPHO, 5)[-1] == 5
    assert encode_sweep([ZERO_ADDRESS, WETH])[4:] == encode(["address[]"], [[ZERO_ADDRESS, WETH]])
    with pytest.raises(ConfigError, match="too many tokens"):
        encode_sweep([WETH] * 17)


def test_runs_are_read_from_the_executor_alone():
    topics = (
        event_topic("Executed(bytes32,address,int256)"),
        b"\7" * 32,
        bytes(12) + bytes.fromhex(MORPHO[2:]),
    )
    log = Log(address=EXECUTOR, topics=topics, data=(-5).to_bytes(32, signed=True))
    stranger = Log(address=ROUTER, topics=topics, data=log.data)
    other = Log(address=EXECUTOR, topics=(bytes(32), *topics[1:]), data=log.data)
    assert decode_executed([stranger, other, log], EXECUTOR) == (Executed(EXECUTOR, b"\7" * 32, MORPHO, -5),)


def simulated_data(entries):
    words = [0] * ((len(entries) + 7) // 8)
    for index, (tag, gas) in enumerate(entries):
        words[index // 8] |= (tag << 24 | gas) << 32 * (index % 8)
    return selector("Simulated(uint256,int256[],uint256[],uint256[])") + encode(
        ["uint256", "int256[]", "uint256[]", "uint256[]"], [90_000, [-5, 7], [1, 2, 3, 4], words]
    )


ENTRIES = [(255, 99_000), (0, 98_000), (5, 97_000), (255, 80_000), (1, 79_000), (2, 70_000), (3, 40_000)]


def test_a_simulation_is_decoded_with_its_trace():
    found = decode_simulated(simulated_data([*ENTRIES, (4, 35_000)]))
    trace = tuple(TraceEntry(None if tag == 255 else tag, gas) for tag, gas in [*ENTRIES, (4, 35_000)])
    assert found == Simulated(90_000, (-5, 7), (1, 2, 3, 4), trace)


def test_gas_by_tag_counts_a_scope_to_its_loan():
    found = decode_simulated(simulated_data([*ENTRIES, (4, 35_000)]))
    assert gas_by_tag(found, PROGRAM) == {0: 1_000, 1: 9_000, 2: 30_000, 3: 5_000}


def test_a_loan_is_measured_to_the_next_step_of_its_own_frame():
    program = replace(PROGRAM, ops=(*PROGRAM.ops, Load.literal(9, 0, 1)))
    found = decode_simulated(simulated_data([*ENTRIES, (4, 35_000), (9, 90_000)]))
    assert gas_by_tag(found, program) == {0: 1_000, 1: 9_000, 2: 30_000, 3: 5_000, 5: 7_000}


def test_gas_is_counted_modulo_24_bits():
    found = decode_simulated(simulated_data([(255, 10), (0, 5), (5, 2**24 - 5)]))
    assert gas_by_tag(found, PROGRAM) == {0: 10}


def test_other_reverts_are_no_simulation_and_broken_ones_are_refused():
    assert decode_simulated(b"") is None
    assert decode_simulated(selector("Error(string)") + encode(["string"], [USDC])) is None
    with pytest.raises(Divergence):
        decode_simulated(simulated_data([])[:40])
