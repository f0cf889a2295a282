"""Every trap of pyrevm that was measured, shown on pyrevm itself and shown closed by the wrapper."""

import re

import pyrevm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.assembly import (
    ALICE,
    BOB,
    COUNTER,
    CREATES,
    DESTROYS_ITSELF,
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

from tidegate.chain import address, keccak256
from tidegate.model import Block, Rejected, Unavailable
from tidegate.sim import FastWorld, WorldReverted


def bare() -> pyrevm.EVM:
    evm = pyrevm.EVM(gas_limit=30_000_000)
    evm.set_balance(ALICE, ETHER)
    return evm


def test_transient_storage_ends_with_the_transaction(fast):
    evm = bare()
    kept = evm.deploy(ALICE, initcode(TRANSIENT_COUNTER))
    assert [number(evm.message_call(ALICE, kept)) for _ in range(2)] == [1, 2], "the trap is gone"

    contract = fast.deploy(initcode(TRANSIENT_COUNTER), sender=ALICE)
    assert number(fast.transact(contract, sender=ALICE).output) == 1
    assert number(fast.transact(contract, sender=ALICE).output) == 1
    assert number(fast.call(contract)) == 1
    assert number(fast.simulate(contract, b"", ALICE)) == 1


def test_transient_storage_is_empty_after_a_revert_and_after_a_snapshot(fast):
    contract = fast.deploy(initcode(TRANSIENT_COUNTER), sender=ALICE)
    with pytest.raises(WorldReverted):
        fast.transact(contract, sender=ALICE, gas_limit=21_020)
    with fast.snapshot():
        fast.transact(contract, sender=ALICE)
    assert number(fast.call(contract)) == 1


def test_many_transactions_never_exhaust_the_depth(fast):
    contract = fast.deploy(initcode(COUNTER), sender=ALICE)
    for _ in range(1_500):
        fast.transact(contract, sender=ALICE)
        fast.simulate(contract, b"", ALICE)
    assert number(fast.call(contract)) == 1_501


def test_a_snapshot_undoes_what_pyrevm_does_not(fast):
    evm = bare()
    checkpoint = evm.snapshot()
    evm.set_balance(ALICE, 5)
    evm.revert(checkpoint)
    assert evm.get_balance(ALICE) == 5, "the trap is gone"

    fast.set_code(BOB, COUNTER)
    fast.set_storage(BOB, 0, 7)
    before = fast.state_digest(), fast.block()
    with fast.snapshot():
        fast.set_balance(ALICE, 5)
        fast.set_code(BOB, LOGS)
        fast.set_storage(BOB, 0, 9)
        fast.set_storage(address(0xFE), 1, 2)
        fast.set_code(address(0xFE), COUNTER)
        fast.transact(BOB, sender=ALICE, value=3)
        fast.mine(4)
    assert (fast.state_digest(), fast.block()) == before
    assert fast.code(BOB) == COUNTER
    assert fast.nonce(ALICE) == 0


def test_balances_set_between_transfers_are_undone_exactly(fast):
    with fast.snapshot():
        fast.transact(BOB, sender=ALICE, value=40)
        fast.set_balance(BOB, 1)
        fast.transact(address(0xCC), sender=BOB, value=1)
        fast.set_balance(ALICE, 0)
        fast.set_balance(BOB, 2**255)
        fast.transact(ALICE, sender=BOB, value=2**254)
    assert (fast.balance(ALICE), fast.balance(BOB), fast.balance(address(0xCC))) == (ETHER, 0, 0)


def test_a_contract_made_inside_a_snapshot_is_gone_after_it(fast):
    with fast.snapshot():
        contract = fast.deploy(initcode(COUNTER), sender=ALICE)
        fast.set_code(contract, LOGS)
        fast.set_balance(contract, 9)
    assert (fast.code(contract), fast.balance(contract), fast.nonce(contract)) == (b"", 0, 0)
    assert fast.deploy(initcode(COUNTER), sender=ALICE) == contract


def test_snapshots_left_in_the_wrong_order_close_the_world(fast):
    outer, inner = fast.snapshot(), fast.snapshot()
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="innermost first"):
        outer.__exit__(None, None, None)
    with pytest.raises(Unavailable, match="another order"):
        fast.call(BOB)
    inner.__exit__(None, None, None)
    assert fast.is_closed


def test_a_snapshot_undoes_when_its_body_raises(fast):
    def body():
        with fast.snapshot():
            fast.transact(BOB, sender=ALICE, value=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        body()
    assert fast.balance(BOB) == 0


def test_nonces_rise_with_every_transaction_and_creation(fast):
    evm = bare()
    evm.message_call(ALICE, BOB)
    assert evm.basic(ALICE).nonce == 0, "the trap is gone"

    fast.transact(BOB, sender=ALICE)
    fast.deploy(initcode(COUNTER), sender=ALICE)
    assert fast.nonce(ALICE) == 2
    with pytest.raises(WorldReverted):
        fast.deploy(INVALID, sender=ALICE)
    assert fast.nonce(ALICE) == 3
    with pytest.raises(WorldReverted):
        fast.transact(fast.deploy(initcode(INVALID), sender=ALICE), sender=ALICE)
    assert fast.nonce(ALICE) == 5


def test_the_nonce_of_a_contract_that_creates_survives_direct_writes(fast):
    maker = fast.deploy(initcode(CREATES), sender=ALICE)
    first = fast.transact(maker, sender=ALICE).output
    fast.set_balance(maker, 1)
    with fast.snapshot():
        fast.transact(maker, sender=ALICE)
        fast.set_code(maker, COUNTER)
    second = fast.transact(maker, sender=ALICE).output
    assert fast.nonce(maker) == 3
    assert first != second
    assert number(second) != 0


@pytest.mark.parametrize("nonce", [0, 1, 2, 300])
def test_an_account_put_whole_keeps_code_and_nonce(fast, nonce):
    fast._accounts.put(BOB, balance=3, nonce=nonce, code=COUNTER)
    assert (fast.nonce(BOB), fast.balance(BOB), fast.code(BOB)) == (nonce, 3, COUNTER)
    assert number(fast.call(BOB)) == 1


@pytest.mark.parametrize("tail", [b"", b"\x00", bytes(33), bytes(40), b"\x5b" * 33])
def test_code_has_no_padding(fast, tail):
    code = COUNTER + tail
    evm = bare()
    assert len(evm.get_code(evm.deploy(ALICE, initcode(code)))) == len(code) + 33, "the trap is gone"

    deployed = fast.deploy(initcode(code), sender=ALICE)
    fast.set_code(BOB, code)
    assert fast.code(deployed) == fast.code(BOB) == code


def test_the_whole_block_environment_is_set():
    at = Block(
        number=77,
        timestamp=1_800_000_000,
        base_fee_wei=5,
        gas_limit=12_345_678,
        coinbase=BOB,
        prevrandao=b"\x07" * 32,
    )
    world = FastWorld(chain_id=8453, block=at)
    read = {}
    for name, opcode in {
        "number": "43",
        "time": "42",
        "coinbase": "41",
        "randao": "44",
        "limit": "45",
        "id": "46",
    }.items():
        world.set_code(BOB, returning(opcode))
        read[name] = number(world.call(BOB))
    assert read == {
        "number": 77,
        "time": 1_800_000_000,
        "coinbase": int(BOB, 16),
        "randao": int.from_bytes(b"\x07" * 32, "big"),
        "limit": 12_345_678,
        "id": 8453,
    }


def test_a_transaction_runs_in_the_next_block_and_a_call_in_the_newest(fast):
    fast.set_code(BOB, returning("43"))
    assert number(fast.call(BOB)) == 0
    receipt = fast.transact(BOB, sender=ALICE)
    assert (number(receipt.output), receipt.block_number, fast.block().number) == (1, 1, 1)
    assert number(fast.call(BOB)) == 1


def test_base_fee_reads_zero_as_documented():
    world = FastWorld(block=Block(number=1, timestamp=2, base_fee_wei=9, gas_limit=30_000_000))
    world.set_code(BOB, returning("48"))
    assert number(world.call(BOB)) == 0


def test_reverts_come_with_their_data_and_leave_nothing(fast):
    contract = fast.deploy(initcode(WRITES_AND_REVERTS), sender=ALICE)
    before = fast.state_digest()
    with pytest.raises(WorldReverted) as call:
        fast.call(contract)
    assert fast.state_digest() == before
    with pytest.raises(WorldReverted) as sent:
        fast.transact(contract, sender=ALICE, value=5)
    for caught in (call, sent):
        assert caught.value.data == bytes.fromhex("deadbeef")
        assert caught.value.revert.kind == "unknown"
    assert call.value.receipt is None
    assert (sent.value.receipt.status, sent.value.receipt.block_number) == (0, 2)
    assert (fast.storage(contract, 0), fast.balance(contract)) == (0, 0)


def test_custom_errors_are_decoded_once_their_abi_is_known(fast):
    code = keccak256(b"Broke(uint256)")[:4]
    fast.set_code(BOB, b"\x63" + code + bytes.fromhex("60e01b5f52600760045260245ffd"))
    fast.register_abi([{"type": "error", "name": "Broke", "inputs": [{"name": "by", "type": "uint256"}]}])
    with pytest.raises(WorldReverted, match=re.escape("Broke(by=7)")) as caught:
        fast.call(BOB)
    assert caught.value.revert.kind == "custom"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (INVALID, "invalid_opcode"),
        (LOOPS, "out_of_gas"),
        (b"\x50", "stack_underflow"),
        (b"\x5f\x56", "invalid_jump"),
    ],
)
def test_halts_are_named(fast, code, name):
    fast.set_code(BOB, code)
    with pytest.raises(WorldReverted) as caught:
        fast.call(BOB)
    assert (caught.value.revert.kind, caught.value.revert.name) == ("halt", name)


@pytest.mark.parametrize(
    ("code", "attempt"),
    [
        ("insufficient_funds", lambda world: world.transact(BOB, sender=ALICE, value=2 * ETHER)),
        ("insufficient_funds", lambda world: world.call(BOB, sender=BOB, value=1)),
        ("intrinsic_gas", lambda world: world.transact(BOB, sender=ALICE, gas_limit=20_000)),
        ("gas_limit", lambda world: world.transact(BOB, sender=ALICE, gas_limit=31_000_000)),
        ("initcode_size", lambda world: world.deploy(bytes(49_153), sender=ALICE)),
        ("sender_is_contract", lambda world: world.transact(ALICE, sender=address(0xC0DE))),
    ],
)
def test_what_no_node_would_take_is_rejected_and_takes_no_block(fast, code, attempt):
    fast.set_code(address(0xC0DE), COUNTER)
    with pytest.raises(Rejected) as caught:
        attempt(fast)
    assert caught.value.code == code
    assert (fast.block().number, fast.nonce(ALICE)) == (0, 0)


def test_a_panic_of_the_engine_is_caught_named_and_closes_the_world(fast):
    with pytest.raises(BaseException) as bare_panic:
        bare().message_call(ALICE, BOB, gas=2**64)
    assert not isinstance(bare_panic.value, Exception), "the trap is gone"

    with pytest.raises(Unavailable, match="engine failed") as caught:
        fast.transact(BOB, sender=ALICE, gas_limit=2**64)
    assert caught.value.code == "engine_panic"
    for ask in (lambda: fast.call(BOB), lambda: fast.balance(ALICE), lambda: fast.set_balance(ALICE, 1)):
        with pytest.raises(Unavailable, match="closed"):
            ask()


def test_a_panic_inside_a_snapshot_is_named_too(fast):
    def body():
        with fast.snapshot():
            fast.transact(BOB, sender=ALICE, gas_limit=2**64)

    with pytest.raises(Unavailable, match="engine failed"):
        body()
    assert fast.is_closed


def test_what_the_interpreter_raises_goes_through_as_it_is(fast):
    class Interrupted:
        def message_call(self, *_):
            raise KeyboardInterrupt

        def set_block_env(self, _):
            pass

    fast._evm = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        fast.transact(BOB, sender=ALICE)


def test_a_contract_that_destroys_itself_stays_as_documented(fast):
    contract = fast.deploy(initcode(DESTROYS_ITSELF), sender=ALICE)
    fast.transact(contract, sender=ALICE)
    assert fast.code(contract) == DESTROYS_ITSELF


def test_logs_are_those_of_the_one_transaction(fast):
    contract = fast.deploy(initcode(LOGS), sender=ALICE)
    for _ in range(2):
        (log,) = fast.transact(contract, sender=ALICE).logs
        assert log.address == contract
        assert [int.from_bytes(topic, "big") for topic in log.topics] == [1, 2]
        assert number(log.data) == 7
    assert fast.transact(BOB, sender=ALICE).logs == ()


STEPS = ("pay", "count", "fail", "create", "balance", "code", "slot", "mine", "in", "out")


@given(st.lists(st.sampled_from(STEPS), max_size=25))
def test_whatever_happens_in_a_snapshot_is_undone(steps):
    walk_and_undo(steps)


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=80))
def test_whatever_happens_in_a_snapshot_is_undone_in_depth(steps):
    walk_and_undo(steps)


def walk_and_undo(steps):
    """Do ``steps`` in snapshots that open and close at random; each must leave the world as it was."""
    world = FastWorld()
    world.set_balance(ALICE, ETHER)
    counter = world.deploy(initcode(COUNTER), sender=ALICE)
    failing = world.deploy(initcode(WRITES_AND_REVERTS), sender=ALICE)
    maker = world.deploy(initcode(CREATES), sender=ALICE)
    expected: list[tuple[str, Block]] = []
    frames = []

    def act(step: str, index: int) -> None:
        match step:
            case "pay":
                world.transact(BOB, sender=ALICE, value=index)
            case "count":
                world.transact(counter, sender=ALICE)
            case "fail":
                with pytest.raises(WorldReverted):
                    world.transact(failing, sender=ALICE)
            case "create":
                world.transact(maker, sender=ALICE)
                world.deploy(initcode(COUNTER), sender=ALICE)
            case "balance":
                world.set_balance(ALICE, ETHER + index)
                world.set_balance(counter, index)
            case "code":
                world.set_code(BOB, COUNTER + bytes([index]))
                world.set_code(counter, COUNTER + bytes([index]))
            case "slot":
                world.set_storage(counter, index, 1)
            case "mine":
                world.mine(2)

    for index, step in enumerate([*steps, "in", "pay", "count", "create", "balance", "code"]):
        if step == "in":
            expected.append((world.state_digest(), world.block()))
            frames.append(world.snapshot())
            frames[-1].__enter__()
        elif step == "out":
            if frames:
                frames.pop().__exit__(None, None, None)
                assert (world.state_digest(), world.block()) == expected.pop()
        else:
            if step == "pay" and world.code(BOB):
                continue
            act(step, index)
    while frames:
        frames.pop().__exit__(None, None, None)
        assert (world.state_digest(), world.block()) == expected.pop()
