import os
import signal

import pytest
from tests.sim.assembly import ALICE, BOB, COUNTER, CREATES, ETHER, initcode, number, returning

from tidegate.chain import address, encode_arguments, keccak256
from tidegate.model import Unavailable
from tidegate.sim import ExactWorld, PinnedWorlds, WorldReverted


@pytest.fixture
def counter(exact):
    contract = exact.deploy(initcode(COUNTER), sender=ALICE)
    for _ in range(3):
        exact.transact(contract, sender=ALICE)
    return contract


def test_it_has_the_block_the_chain_and_the_state(exact, counter):
    world = PinnedWorlds(exact.url).at()
    assert (world.block(), world.chain_id) == (exact.block(), exact.chain_id)
    assert number(world.simulate(counter, b"", ALICE)) == 4
    assert world.storage(counter, 0) == 3
    assert (world.balance(ALICE), world.nonce(ALICE)) == (ETHER, 4)
    assert world.code(counter) == COUNTER
    for opcode in ("43", "42", "46", "44"):
        exact.set_code(BOB, returning(opcode))
        exact.mine()
        assert PinnedWorlds(exact.url).at().call(BOB) == exact.call(BOB)


def test_what_comes_later_does_not_show(exact, counter):
    worlds = PinnedWorlds(exact.url)
    pinned = exact.block()
    world = worlds.at(pinned)
    for _ in range(5):
        exact.transact(counter, sender=ALICE)
    assert world.storage(counter, 0) == 3, "read first after the chain went on"
    assert number(world.simulate(counter, b"", ALICE)) == 4
    assert worlds.at().storage(counter, 0) == 8
    assert worlds.at(pinned.number).storage(counter, 0) == worlds.at(pinned.hash).storage(counter, 0) == 3


def test_a_reorg_gives_another_world(exact, counter):
    worlds = PinnedWorlds(exact.url)
    old = worlds.at()
    exact.reorg(2)
    new = worlds.at()
    assert new is not old
    assert new.block().number == old.block().number
    assert new.storage(counter, 0) == 1


def test_worlds_are_kept_by_block_and_only_unchanged(exact, counter):
    worlds = PinnedWorlds(exact.url, keep=2)
    first = exact.block()
    world = worlds.at(first)
    with world.snapshot():
        world.transact(counter, sender=ALICE)
        world.set_balance(BOB, 1)
    assert worlds.at(first) is world
    world.transact(counter, sender=ALICE)
    assert worlds.at(first) is not world
    assert worlds.at(first).storage(counter, 0) == 3
    kept = worlds.at(first)
    for _ in range(2):
        worlds.at(exact.mine())
    assert worlds.at(first) is not kept


def test_the_pinned_world_goes_on_in_time_inside_a_snapshot(exact, counter):
    world = PinnedWorlds(exact.url, block_time_s=12).at()
    pinned = world.block()
    with world.snapshot():
        assert world.mine().timestamp == pinned.timestamp + 12
        assert world.transact(counter, sender=ALICE).block_number == pinned.number + 2
    assert (world.block(), world.storage(counter, 0)) == (pinned, 3)


def test_errors_are_decoded_in_pinned_worlds_too(exact):
    code = keccak256(b"Broke()")[:4]
    exact.set_code(BOB, b"\x63" + code + bytes.fromhex("60e01b5f5260045ffd"))
    exact.mine()
    worlds = PinnedWorlds(exact.url)
    worlds.register_abi([{"type": "error", "name": "Broke", "inputs": []}])
    with pytest.raises(WorldReverted, match="Broke"):
        worlds.at().simulate(BOB, b"", ALICE)


def test_a_search_over_many_slots_reads_each_as_the_chain_has_it(exact):
    # Returns sload(calldataload(0)): a slot is fetched the moment it is asked for.
    exact.set_code(BOB, bytes.fromhex("5f35545f5260205ff3"))
    for slot in range(0, 40, 2):
        exact.set_storage(BOB, slot, slot + 100)
    exact.mine()
    world = PinnedWorlds(exact.url).at()
    for _ in range(2):
        words = [
            number(world.simulate(BOB, encode_arguments(["uint256"], [slot]), ALICE)) for slot in range(40)
        ]
        assert words == [slot + 100 if slot % 2 == 0 else 0 for slot in range(40)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda world: world.simulate(BOB, b"", ALICE),
        lambda world: world.storage(BOB, 7),
        lambda world: world.balance(address(0x1234)),
        lambda world: world.code(address(0x1234)),
        lambda world: world.set_balance(address(0x1234), 5),
        lambda world: world.set_code(address(0x1234), COUNTER),
        lambda world: world.set_storage(address(0x1234), 1, 1),
        lambda world: world.deploy(initcode(COUNTER), sender=address(0x99)),
        lambda world: world.transact(address(0x1234), sender=address(0x99)),
    ],
)
def test_a_lost_node_is_never_taken_for_zero(ask):
    with ExactWorld() as exact:
        exact.set_storage(BOB, 7, 9)
        exact.mine()
        world = PinnedWorlds(exact.url).at()
        os.kill(exact.pid, signal.SIGKILL)
        port = exact.url.rpartition(":")[2]
    with pytest.raises(Unavailable, match="does not answer") as caught:
        ask(world)
    assert port not in str(caught.value), "a URL may hold a key"
    with pytest.raises(Unavailable, match="closed"):
        ask(world)


def test_a_block_that_is_not_there_is_refused(exact):
    with pytest.raises(Unavailable, match="no such block"):
        PinnedWorlds(exact.url).at(99)
    with pytest.raises(Unavailable, match="no such block"):
        PinnedWorlds(exact.url).at(b"\x01" * 32)


def test_what_earlier_worlds_read_comes_at_once_and_as_it_is_now():
    with ExactWorld() as exact:
        exact.set_balance(ALICE, ETHER)
        contract = exact.deploy(initcode(COUNTER), sender=ALICE)
        maker = exact.deploy(initcode(CREATES), sender=ALICE)
        exact.set_code(BOB, COUNTER)
        worlds = PinnedWorlds(exact.url)
        targets = (contract, maker, BOB)
        for target in targets:
            exact.mine()
            worlds.at().simulate(target, b"", ALICE)
        for target in targets:
            exact.transact(target, sender=ALICE)
        exact.set_code(BOB, returning("47"))
        exact.set_balance(BOB, 77)
        exact.set_balance(ALICE, 5 * ETHER)
        exact.mine()
        asked = (contract, BOB)  # what the maker makes next lies where nobody has looked yet
        expected = [exact.call(target, sender=ALICE) for target in asked]
        world = worlds.at()
    assert not exact.is_alive
    assert [world.simulate(target, b"", ALICE) for target in asked] == expected
    assert [number(output) for output in expected] == [2, 77]
    assert (world.balance(ALICE), world.nonce(ALICE)) == (5 * ETHER, 5)
    assert (world.storage(contract, 0), world.nonce(maker)) == (1, 2)
    with pytest.raises(Unavailable):
        world.storage(contract, 1)


def test_an_account_that_is_known_still_fetches_what_is_not(exact):
    # Returns sload(calldataload(0)).
    exact.set_code(BOB, bytes.fromhex("5f35545f5260205ff3"))
    for slot in range(4):
        exact.set_storage(BOB, slot, slot + 10)
    worlds = PinnedWorlds(exact.url)
    exact.mine()
    ask = [encode_arguments(["uint256"], [slot]) for slot in range(4)]
    worlds.at().simulate(BOB, ask[1], ALICE)
    exact.set_storage(BOB, 1, 99)
    exact.mine()
    world = worlds.at()
    assert [number(world.simulate(BOB, data, ALICE)) for data in ask] == [10, 99, 12, 13]
