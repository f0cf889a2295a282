"""The same script in both worlds, and twice in each: same addresses, outcomes, balances, logs, state."""

import pytest
from msgspec.structs import replace
from tests.sim.assembly import (
    ALICE,
    BOB,
    COUNTER,
    CREATES,
    ETHER,
    INVALID,
    LOGS,
    LOOPS,
    TRANSIENT_COUNTER,
    WRITES_AND_REVERTS,
    initcode,
    number,
    returning,
)

from tidegate.chain import address
from tidegate.model import ConfigError, Rejected, TidegateError
from tidegate.sim import ExactWorld, FastWorld, World, WorldReverted
from tidegate.sim.environment import GENESIS

CHAIN_ID = 8453
ERRORS = [{"type": "error", "name": "Dead", "inputs": []}]


def attempt(act) -> object:
    """Return what ``act`` gives, or how it failed; not the parts that only one world knows."""
    try:
        result = act()
    except WorldReverted as error:
        receipt = error.receipt
        return (error.revert, error.data, receipt and (receipt.status, receipt.block_number))
    except TidegateError as error:
        return (type(error).__name__, error.code)
    if hasattr(result, "gas_used"):
        return (result.status, result.block_number, result.logs, result.effective_gas_price_wei)
    return result


def journey(world: World) -> list[object]:
    """Do what worlds are for, and return everything that was seen."""
    world.set_balance(ALICE, ETHER)
    counter, maker, failing, logging, invalid, loops, transient = (
        world.deploy(initcode(code), sender=ALICE)
        for code in (COUNTER, CREATES, WRITES_AND_REVERTS, LOGS, INVALID, LOOPS, TRANSIENT_COUNTER)
    )
    seen: list[object] = [counter, maker, failing, logging]
    seen += [
        attempt(lambda to=to: world.transact(to, sender=ALICE)) for to in (counter, counter, maker, logging)
    ]
    seen += [attempt(lambda to=to: world.transact(to, sender=ALICE)) for to in (failing, invalid, loops)]
    seen += [attempt(lambda to=to: world.call(to)) for to in (counter, failing, invalid, transient)]
    seen += [attempt(lambda: world.transact(transient, sender=ALICE)), world.call(transient)]
    seen += [
        attempt(lambda: world.transact(BOB, sender=ALICE, value=7)),
        attempt(lambda: world.transact(BOB, sender=ALICE, value=2 * ETHER)),
        attempt(lambda: world.transact(BOB, sender=ALICE, gas_limit=20_999)),
        attempt(lambda: world.transact(BOB, sender=ALICE, gas_limit=30_000_001)),
        attempt(lambda: world.call(BOB, sender=BOB, value=8)),
        attempt(lambda: world.deploy(INVALID, sender=ALICE)),
        attempt(lambda: world.deploy(bytes.fromhex("5f5ffd"), sender=ALICE)),
        attempt(lambda: world.deploy(bytes(49_153), sender=ALICE)),
        attempt(lambda: world.deploy(initcode(bytes(24_577)), sender=ALICE)),
        attempt(lambda: world.deploy(initcode(b"\xef\x00"), sender=ALICE)),
    ]
    for name, opcode in {"number": "43", "time": "42", "coinbase": "41", "limit": "45", "id": "46"}.items():
        world.set_code(BOB, returning(opcode))
        seen.append((name, number(world.call(BOB))))
    with world.snapshot():
        world.set_storage(counter, 0, 99)
        world.set_balance(counter, 5)
        world.set_code(BOB, COUNTER)
        world.mine(3)
        with world.snapshot():
            seen.append(world.deploy(initcode(COUNTER), sender=ALICE))
            seen.append(attempt(lambda: world.transact(counter, sender=ALICE, value=1)))
        seen.append((world.nonce(ALICE), world.storage(counter, 0), world.balance(counter), world.code(BOB)))
    seen.append((world.nonce(ALICE), world.storage(counter, 0), world.balance(counter), world.code(BOB)))
    seen.append(attempt(lambda: world.mine(2, timestamp=GENESIS.timestamp)))
    world.mine(3, timestamp=GENESIS.timestamp + 10_000)
    seen.append(attempt(lambda: world.transact(counter, sender=ALICE)))
    seen.append(replace(world.block(), hash=b"", prevrandao=bytes(32)))
    seen.append({account: world.nonce(account) for account in (ALICE, BOB, counter, maker)})
    seen.append(world.storage(counter, 0))
    return seen


@pytest.mark.parametrize("block_time_s", [1, 12])
def test_a_journey_is_the_same_in_both_worlds(block_time_s):
    fast = FastWorld(chain_id=CHAIN_ID, block_time_s=block_time_s)
    fast.register_abi(ERRORS)
    in_fast = journey(fast)
    with ExactWorld(chain_id=CHAIN_ID, block_time_s=block_time_s) as exact:
        exact.register_abi(ERRORS)
        in_exact = journey(exact)
        exact_digest = exact.state_digest()
    assert in_fast == in_exact
    assert fast.state_digest() == exact_digest
    assert fast.chain_id == exact.chain_id == CHAIN_ID


def test_the_same_script_gives_the_same_exact_world_to_the_last_hash():
    ends = []
    for _ in range(2):
        with ExactWorld() as world:
            seen = journey(world)
            receipts = [world.transact(BOB, sender=ALICE, value=1) for _ in range(3)]
            ends.append((seen, receipts, world.block(), world.state_digest()))
    assert ends[0] == ends[1]
    assert ends[0][2].hash != b""


def test_the_same_script_gives_the_same_fast_world():
    def run() -> tuple[object, ...]:
        world = FastWorld()
        seen = journey(world)
        receipts = [world.transact(BOB, sender=ALICE, value=1) for _ in range(3)]
        assert len({receipt.transaction_hash for receipt in receipts}) == 3
        return seen, receipts, world.block(), world.state_digest()

    assert run() == run()


def test_the_digest_sees_every_part_of_an_account():
    def digest(**change: int | bytes) -> str:
        world = FastWorld()
        world.set_balance(BOB, change.get("balance", 1))
        world.set_code(BOB, change.get("code", COUNTER))
        world.set_storage(BOB, 3, change.get("word", 4))
        for _ in range(change.get("sends", 1)):
            world.transact(address(5), sender=ALICE)
        return world.state_digest()

    changed = [digest(balance=2), digest(code=LOGS), digest(word=5), digest(sends=2)]
    assert digest() == digest()
    assert len({digest(), *changed}) == 5


def test_state_travels_from_the_exact_world_to_the_fast_one():
    with ExactWorld() as exact:
        journey(exact)
        state, digest, block = exact.state(), exact.state_digest(), exact.block()
    fast = FastWorld(block=block)
    fast.load_state(state)
    assert fast.state_digest() == digest
    counter = next(a for a, held in state.items() if held.code == COUNTER)
    assert number(fast.call(counter)) == state[counter].storage[0] + 1


def test_a_state_is_not_loaded_where_it_could_not_be_undone():
    world = FastWorld()
    with world.snapshot(), pytest.raises(RuntimeError, match="outside snapshots"):
        world.load_state({})


@pytest.mark.parametrize("kind", ["fast", "exact"])
def test_time_never_goes_back(kind, request):
    world = request.getfixturevalue(kind)
    world.mine(2)
    at = world.block().timestamp
    with pytest.raises(ConfigError, match="later than its parent"):
        world.mine(1, timestamp=at)
    assert world.mine(1, timestamp=at + 1).timestamp == at + 1


@pytest.mark.parametrize("kind", ["fast", "exact"])
def test_mining_nothing_adds_nothing(kind, request):
    world = request.getfixturevalue(kind)
    assert world.mine(0).number == 0
    assert world.mine(5).number == 5


@pytest.mark.parametrize("kind", ["fast", "exact"])
def test_a_rejection_takes_neither_block_nor_nonce(kind, request):
    world = request.getfixturevalue(kind)
    with pytest.raises(Rejected):
        world.transact(BOB, sender=ALICE, value=2 * ETHER)
    assert (world.block().number, world.nonce(ALICE)) == (0, 0)
