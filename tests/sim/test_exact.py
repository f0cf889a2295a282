import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eth_account import Account
from tests.sim.assembly import (
    ALICE,
    BOB,
    COUNTER,
    ETHER,
    LOGS,
    WRITES_AND_REVERTS,
    initcode,
    number,
    returning,
)

from tidegate.chain import Connection, address
from tidegate.model import ConfigError, Rejected, Tampered, Unavailable
from tidegate.sim import ExactWorld, FastWorld, WorldReverted
from tidegate.sim.environment import GENESIS

KEY = Account.from_key("0x" + "11" * 32)
SENDER = address(KEY.address)
GWEI = 10**9


def signed(
    nonce: int, *, to: str = BOB, value: int = 0, fee_wei: int = 2 * GWEI, gas: int = 100_000
) -> bytes:
    transaction = {
        "to": BOB,
        "value": value,
        "gas": 100_000,
        "maxFeePerGas": 2 * GWEI,
        "maxPriorityFeePerGas": 0,
        "nonce": nonce,
        "chainId": 31_337,
        "type": 2,
    }
    return bytes(KEY.sign_transaction(transaction).raw_transaction)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.002)


def test_signed_bytes_are_sent_mined_and_found_again(exact):
    exact.set_balance(SENDER, ETHER)
    exact.set_mining("manual")
    first = exact.send_raw(signed(0, value=5))
    assert exact.receipt(first) is None
    exact.mine()
    receipt = exact.receipt(first)
    assert (receipt.status, receipt.gas_used, receipt.block_hash) == (1, 21_000, exact.block().hash)
    assert exact.balance(BOB) == 5
    exact.set_mining("auto")
    assert exact.send_raw_and_wait(signed(1)).block_number == 2


def test_what_a_node_refuses_is_rejected_with_its_code(exact):
    exact.set_balance(SENDER, ETHER)
    exact.send_raw_and_wait(signed(0))
    with pytest.raises(Rejected) as again:
        exact.send_raw(signed(0, value=1))
    assert again.value.code == "nonce_too_low"
    with pytest.raises(Rejected) as poor:
        exact.send_raw(signed(1, value=2 * ETHER))
    assert poor.value.code == "insufficient_funds"


def test_gas_is_that_of_a_finished_transaction_and_the_fee_is_taken(exact):
    counter = exact.deploy(initcode(COUNTER), sender=ALICE)
    gas = [exact.transact(counter, sender=ALICE).gas_used for _ in range(3)]
    assert gas == [43_126, 26_026, 26_026]  # 21,000 + 26 for the plain steps + 22,100 new or 5,000 changed
    exact.set_base_fee(GWEI)
    before = exact.balance(ALICE)
    receipt = exact.transact(counter, sender=ALICE)
    assert receipt.effective_gas_price_wei == GWEI == exact.block().base_fee_wei
    assert before - exact.balance(ALICE) == receipt.gas_used * GWEI
    assert exact.next_base_fee_wei() < GWEI, "an almost empty block lowers the base fee"


def test_logs_are_found_by_span_account_and_topic(exact):
    contract = exact.deploy(initcode(LOGS), sender=ALICE)
    receipts = [exact.transact(contract, sender=ALICE) for _ in range(3)]
    assert exact.logs() == tuple(log for receipt in receipts for log in receipt.logs)
    assert exact.logs(from_block=3, to_block=3) == receipts[1].logs
    assert exact.logs(account=BOB) == ()
    assert len(exact.logs(account=contract, topics=[(1).to_bytes(32, "big")])) == 3
    assert exact.logs(topics=[(9).to_bytes(32, "big")]) == ()


def test_time_is_set_for_the_next_block_and_goes_on_from_there(exact):
    exact.set_next_timestamp(GENESIS.timestamp + 500)
    exact.transact(BOB, sender=ALICE)
    exact.transact(BOB, sender=ALICE)
    assert exact.block(1).timestamp == GENESIS.timestamp + 500
    assert exact.block().timestamp == GENESIS.timestamp + 501
    with pytest.raises(ConfigError):
        exact.set_next_timestamp(GENESIS.timestamp + 501)


def test_a_call_can_ask_an_older_block(exact):
    counter = exact.deploy(initcode(COUNTER), sender=ALICE)
    exact.transact(counter, sender=ALICE)
    old = exact.block()
    exact.transact(counter, sender=ALICE)
    assert number(exact.call(counter)) == 3
    assert number(exact.call(counter, block=old.number)) == number(exact.call(counter, block=old.hash)) == 2
    with pytest.raises(Unavailable, match="no such block"):
        exact.block(99)


def test_a_reorg_replaces_blocks_and_what_they_held(exact):
    exact.set_balance(SENDER, ETHER)
    exact.mine(2)
    kept, lost = exact.block(), exact.send_raw_and_wait(signed(0, value=7))
    exact.mine()
    old_head = exact.block()
    head = exact.reorg(2)
    assert (head.number, exact.block(kept.number)) == (old_head.number, kept)
    assert head.hash != old_head.hash
    assert exact.receipt(lost.transaction_hash) is None
    assert (exact.balance(BOB), exact.nonce(SENDER)) == (0, 0)
    exact.reorg(1, [(signed(0, value=9), 0)])
    assert exact.balance(BOB) == 9


def test_a_reorg_deeper_than_the_chain_is_refused(exact):
    exact.mine(1)
    with pytest.raises((Rejected, Unavailable)):
        exact.reorg(5)


def test_a_saved_world_goes_on_where_it_stopped(exact, tmp_path):
    counter = exact.deploy(initcode(COUNTER), sender=ALICE)
    exact.transact(counter, sender=ALICE)
    exact.mine(1, timestamp=GENESIS.timestamp + 9_000)
    exact.save(tmp_path / "world")
    with ExactWorld() as other:
        other.load(tmp_path / "world")
        assert (other.block(), other.state_digest()) == (exact.block(), exact.state_digest())
        ends = []
        for world in (exact, other):
            receipt = world.transact(counter, sender=ALICE)
            ends.append((receipt, world.block(), world.state_digest()))
        assert ends[0] == ends[1]
        assert ends[1][1].timestamp == GENESIS.timestamp + 9_001


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "empty"])
def test_a_damaged_saved_world_is_refused(exact, tmp_path, damage):
    path = tmp_path / "world"
    if damage != "missing":
        exact.save(path)
        content = path.read_bytes()
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"truncated": content[:-9], "changed": flipped, "empty": b""}[damage])
    with pytest.raises(Tampered, match="not a saved world"):
        exact.load(path)


def test_a_saved_world_of_another_chain_is_refused(exact, tmp_path):
    exact.save(tmp_path / "world")
    with ExactWorld(chain_id=10) as other, pytest.raises(Tampered, match="another chain"):
        other.load(tmp_path / "world")


def test_snapshots_nest_strictly(exact):
    outer, inner = exact.snapshot(), exact.snapshot()
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="innermost first"):
        outer.__exit__(None, None, None)


def test_what_is_undone_right_after_it_was_mined_stays_undone(exact):
    """The node answers a sender before it has cleared its mempool; see ``NodeWorld._settle``."""
    counter = exact.deploy(initcode(COUNTER), sender=ALICE)
    start = exact.block()
    for _ in range(150):
        with exact.snapshot():
            exact.transact(counter, sender=ALICE)
        assert (exact.storage(counter, 0), exact.nonce(ALICE), exact.block()) == (0, 1, start)
    exact.mine()
    assert exact.storage(counter, 0) == 0


def test_a_fork_has_the_state_of_its_block_and_its_own_future(exact):
    counter = exact.deploy(initcode(COUNTER), sender=ALICE)
    exact.transact(counter, sender=ALICE)
    pinned = exact.block()
    exact.transact(counter, sender=ALICE)
    with ExactWorld(chain_id=31_337, fork_url=exact.url, fork_block=pinned.number) as fork:
        assert fork.block().hash == pinned.hash
        assert number(fork.call(counter)) == 2
        fork.transact(counter, sender=ALICE)
        assert (fork.storage(counter, 0), exact.storage(counter, 0)) == (2, 2)
        fork.set_storage(counter, 0, 50)
        assert exact.storage(counter, 0) == 2


def test_an_unknown_way_of_mining_is_refused(exact):
    with pytest.raises(ConfigError, match="no such mining"):
        exact.set_mining("sometimes")


def test_a_constructor_that_reverts_says_why(exact):
    with pytest.raises(WorldReverted) as caught:
        exact.deploy(WRITES_AND_REVERTS, sender=ALICE)
    assert caught.value.data == bytes.fromhex("deadbeef")
    assert caught.value.receipt.gas_used > 21_000


def test_every_account_may_send_a_contract_too(exact):
    exact.set_code(BOB, returning("33"))
    exact.set_balance(BOB, 5)
    exact.transact(ALICE, sender=BOB, value=5)
    assert exact.balance(ALICE) == ETHER + 5


def test_a_killed_node_is_named_and_what_it_printed_is_shown(exact):
    os.kill(exact.pid, signal.SIGKILL)
    wait_until_gone(exact.pid)
    for ask in (lambda: exact.call(BOB), lambda: exact.transact(BOB, sender=ALICE), exact.block):
        with pytest.raises(Unavailable, match="node died") as caught:
            ask()
        assert caught.value.code == "node_died"
        assert "ended by signal 9 (SIGKILL)" in caught.value.found
    assert not exact.is_alive


def test_closing_stops_the_process_and_is_idempotent():
    world = ExactWorld()
    pid = world.pid
    assert is_running(pid)
    world.close()
    world.close()
    assert not is_running(pid)


def test_a_forgotten_world_takes_its_process_along():
    world = ExactWorld()
    pid = world.pid
    del world
    wait_until_gone(pid)


def test_no_node_outlives_a_process_that_was_killed():
    script = (
        "from tidegate.sim import ExactWorld; import time\n"
        "world = ExactWorld(); print(world.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
        parent.wait()
    wait_until_gone(pid)


def test_what_a_node_put_on_disk_goes_with_it_or_with_the_next_one(monkeypatch, tmp_path):
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left_behind = tmp_path / "anvil" / f"{dead.pid}-left"
    left_behind.mkdir(parents=True)
    with ExactWorld():
        (own,) = (tmp_path / "anvil").iterdir()
        assert own.name.startswith(f"{os.getpid()}-")
    assert list((tmp_path / "anvil").iterdir()) == []


def test_blocks_come_by_themselves_at_an_interval():
    with ExactWorld(mining="interval") as world:
        world.set_balance(ALICE, ETHER)
        world.transact(BOB, sender=ALICE, value=5)
        assert world.block().number >= 1
        assert world.balance(BOB) == 5


def test_it_listens_on_loopback_alone_and_has_no_accounts_of_its_own(exact):
    assert exact.url.startswith("http://127.0.0.1:")
    with Connection(exact.url) as connection:
        assert connection.request("eth_accounts") == []


def test_both_worlds_start_at_the_same_moment(exact):
    assert FastWorld().block().timestamp == exact.block().timestamp == GENESIS.timestamp
