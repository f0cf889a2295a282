import itertools
import subprocess
import sys

import pytest
from tests.sim.assembly import ALICE, BOB, COUNTER, initcode, number

from tidegate.chain import address
from tidegate.model import ConfigError, Divergence, Tampered, Unavailable
from tidegate.sim import NOT_ON_TAPE, Measured, Tape, TapeRecorder, TapeWorlds

# returns the storage word whose number is the argument
READER = bytes.fromhex("5f35545f5260205ff3")


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


@pytest.fixture
def contracts(exact):
    counter = exact.deploy(initcode(COUNTER), sender=ALICE)
    reader = exact.deploy(initcode(READER), sender=ALICE)
    for slot in range(3):
        exact.set_storage(reader, slot, 100 + slot)
    exact.mine()
    return counter, reader


def record(exact, contracts, blocks=4) -> Tape:
    """Record blocks in each of which the counter goes on; slot 1 of the reader is read from the third on."""
    counter, reader = contracts
    recorder = TapeRecorder(exact.url, block_time_s=1)
    for place in range(blocks):
        exact.transact(counter, sender=ALICE)
        block = exact.block()
        world = recorder.at(block)
        world.simulate(counter, b"", ALICE)
        if place >= 2:
            world.simulate(reader, word(1), ALICE)
        recorder.add(block, [Measured("arb", 100 + place, 120 + place)])
    tape = recorder.tape({"source": "a test"})
    recorder.close()
    return tape


def test_a_tape_answers_as_the_node_did_at_each_block(exact, contracts):
    counter, _ = contracts
    tape = record(exact, contracts)
    worlds = TapeWorlds(tape)
    for one in tape.blocks:
        world = worlds.at(one.block.number)
        assert world.block() == one.block == exact.block(one.block.number)
        answer = exact.call(counter, sender=ALICE, block=one.block.number)
        assert world.simulate(counter, b"", ALICE) == answer
    assert [number(worlds.at(one.block.number).call(counter)) for one in tape.blocks] == [2, 3, 4, 5]


def test_what_is_first_read_later_is_on_the_earlier_blocks_too(exact, contracts):
    _, reader = contracts
    tape = record(exact, contracts)
    first = TapeWorlds(tape).at(tape.blocks[0].block.number)
    assert number(first.simulate(reader, word(1), ALICE)) == 101


def test_a_slot_that_is_not_on_the_tape_is_refused_by_name_never_zero(exact, contracts):
    counter, reader = contracts
    tape = record(exact, contracts)
    worlds, last = TapeWorlds(tape), tape.blocks[-1].block.number
    for ask in (
        lambda world: world.simulate(reader, word(2), ALICE),
        lambda world: world.call(reader, word(2), sender=ALICE),
        lambda world: world.run_last(reader, word(2), sender=ALICE),
        lambda world: world.transact(reader, word(2), sender=ALICE),
    ):
        with pytest.raises(Unavailable) as caught:
            ask(worlds.at(last))
        assert caught.value.code == NOT_ON_TAPE
        assert caught.value.found == f"slot 0x2 of {reader.lower()}"
        assert str(last) in caught.value.message
    assert number(worlds.at(last).simulate(counter, b"", ALICE)) == 5, "a refusal closes one world alone"


def test_a_slot_of_an_account_that_is_on_the_tape_and_zero_is_zero(exact, contracts):
    counter, reader = contracts
    recorder = TapeRecorder(exact.url, block_time_s=1)
    block = exact.block()
    assert number(recorder.at(block).simulate(reader, word(7), ALICE)) == 0
    recorder.add(block)
    world = TapeWorlds(recorder.tape({})).at(block.number)
    assert number(world.simulate(reader, word(7), ALICE)) == 0
    with pytest.raises(Unavailable, match="does not hold"):
        world.simulate(counter, b"", ALICE)


def test_an_account_that_is_not_on_the_tape_is_refused(exact, contracts):
    tape = record(exact, contracts)
    for ask in (
        lambda world: world.simulate(BOB, b"", ALICE),
        lambda world: world.balance(BOB),
        lambda world: world.code(BOB),
        lambda world: world.nonce(BOB),
        lambda world: world.storage(contracts[1], 2),
    ):
        with pytest.raises(Unavailable) as caught:
            ask(TapeWorlds(tape).at(tape.blocks[0].block.number))
        assert caught.value.code == NOT_ON_TAPE


def test_a_block_that_is_not_on_the_tape_is_refused(exact, contracts):
    tape = record(exact, contracts)
    first, last = tape.blocks[0].block.number, tape.blocks[-1].block.number
    for missing in (first - 1, last + 1):
        with pytest.raises(Unavailable, match="no such block"):
            TapeWorlds(tape).at(missing)
    with pytest.raises(Unavailable, match="no such block"):
        TapeWorlds(Tape(31337, 1, {}, {}, ())).at(0)


def test_worlds_may_be_asked_for_in_any_order(exact, contracts):
    counter, _ = contracts
    tape = record(exact, contracts, blocks=20)
    worlds = TapeWorlds(tape)
    first = tape.blocks[0].block.number
    for place in (19, 0, 10, 19, 1):
        assert number(worlds.at(first + place).call(counter)) == place + 2


def test_a_run_at_the_end_of_a_block_sees_its_environment_and_leaves_nothing(exact, contracts):
    counter, _ = contracts
    tape = record(exact, contracts)
    block = tape.blocks[-1].block
    world = TapeWorlds(tape).at(block.number)
    receipt = world.run_last(counter, sender=ALICE)
    assert (receipt.status, receipt.block_number, number(receipt.output)) == (1, block.number, 5)
    assert (world.storage(counter, 0), world.block()) == (4, block)


def test_the_same_recording_gives_the_same_bytes_and_they_read_back_equal(exact, contracts, tmp_path):
    counter, reader = contracts
    blocks = [exact.block(exact.block().number)]
    for _ in range(3):
        exact.transact(counter, sender=ALICE)
        blocks.append(exact.block())
    files = []
    for order in itertools.permutations((0, 1)):
        recorder = TapeRecorder(exact.url, block_time_s=1)
        for block in blocks:
            for slot in order:  # what is asked first makes no difference
                recorder.at(block).simulate(reader, word(slot), ALICE)
            recorder.at(block).simulate(counter, b"", ALICE)
            recorder.add(block)
        tape = recorder.tape({"b": 1, "a": [2]})
        path = tmp_path / f"{len(files)}.tape"
        assert tape.save(path) == tape.digest
        assert Tape.load(path) == tape
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_codes_stand_once_and_unchanged_values_not_again(exact, contracts, tmp_path):
    tape = record(exact, contracts, blocks=10)
    tape.save(tmp_path / "tape")
    stored = (tmp_path / "tape").read_bytes()
    assert stored.count(COUNTER) == 1
    counter = contracts[0].lower()
    assert set(tape.blocks[5].slots) == {(counter, 0)}
    assert contracts[1].lower() not in tape.blocks[5].accounts


def test_what_was_measured_stands_beside_its_block(exact, contracts, tmp_path):
    record(exact, contracts).save(tmp_path / "tape")
    tape = Tape.load(tmp_path / "tape")
    assert [one.measured for one in tape.blocks][1] == (Measured("arb", 101, 121),)


def test_blocks_are_added_in_order_and_without_gaps(exact, contracts):
    recorder = TapeRecorder(exact.url, block_time_s=1)
    first = exact.block()
    recorder.add(first)
    with pytest.raises(Divergence, match="no gaps"):
        recorder.add(first)
    exact.mine(2)
    with pytest.raises(Divergence, match="no gaps"):
        recorder.add(exact.block())
    assert recorder.blocks == 1


def test_a_rolled_back_block_is_replaced(exact, contracts):
    counter, _ = contracts
    recorder = TapeRecorder(exact.url, block_time_s=1)
    for _ in range(3):
        exact.transact(counter, sender=ALICE)
        recorder.at(exact.block()).simulate(counter, b"", ALICE)
        recorder.add(exact.block())
    exact.reorg(2)
    recorder.forget_from(exact.block().number - 1)
    for block in (exact.block().number - 1, exact.block().number):
        recorder.at(exact.block(block)).simulate(counter, b"", ALICE)
        recorder.add(exact.block(block))
    tape = recorder.tape({})
    worlds = TapeWorlds(tape)
    assert [number(worlds.at(one.block.number).call(counter)) for one in tape.blocks] == [2, 2, 2]
    assert tape.blocks[-1].block.hash == exact.block().hash


def test_a_tape_that_was_changed_is_not_read(exact, contracts, tmp_path):
    path = tmp_path / "tape"
    record(exact, contracts).save(path)
    stored = bytearray(path.read_bytes())
    stored[-5] ^= 1
    path.write_bytes(stored)
    with pytest.raises(Tampered) as caught:
        Tape.load(path)
    assert caught.value.code == "tape_digest"
    path.write_bytes(bytes(stored[:-20]))
    with pytest.raises(Tampered):
        Tape.load(path)


def test_what_is_no_tape_or_a_newer_one_is_refused_with_what_it_is(exact, contracts, tmp_path):
    path = tmp_path / "tape"
    with pytest.raises(ConfigError, match="there is no tape"):
        Tape.load(path)
    for content in (b"", b"something else", b"tidegate tape\n", b"tidegate tape\nabc\n"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="is no tape"):
            Tape.load(path)
    record(exact, contracts).save(path)
    stored = path.read_bytes()
    payload = stored[79:80] + b"\x02" + stored[81:]
    from tidegate.model import sha256_hex

    path.write_bytes(stored[:14] + sha256_hex(payload).encode() + b"\n" + payload)
    with pytest.raises(ConfigError, match="another release"):
        Tape.load(path)


def test_nothing_listens_where_missing_state_would_come_from(exact, contracts):
    worlds = TapeWorlds(record(exact, contracts))
    port = worlds._nowhere.getsockname()[1]
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConnectionRefusedError" in found.stderr


def test_addresses_are_kept_in_full(exact, contracts):
    tape = record(exact, contracts)
    assert all(len(account) == 42 and address(account) for one in tape.blocks for account in one.accounts)
