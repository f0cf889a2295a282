"""The reader of plans: what a probe found, why it failed, and what a receipt says it changed."""

import pytest
from eth_abi import encode
from tests.venues.executor.golden import EXECUTOR, MORPHO, PROGRAM, ROUTER, USDC, WETH

from tidegate.chain import event_topic, selector
from tidegate.model import ZERO_ADDRESS, Bound, Divergence, Log, Plan, Receipt, Step
from tidegate.venues.executor import (
    ExecutorReader,
    Glossary,
    assemble,
    decode_execute,
    encode_execute,
    encode_simulate,
)

TREASURY = MORPHO
RAW = assemble(PROGRAM)
READER = ExecutorReader(treasury=TREASURY, weth=WETH, glossary=Glossary({selector("swap()"): "swap"}))
STEPS = (
    Step(tag=0, step_id="", label="the size", target=ZERO_ADDRESS),
    Step(tag=1, step_id="sell", label="approve WETH", target=WETH),
    Step(tag=2, step_id="sell", label="sell WETH", target=ROUTER),
    Step(tag=3, step_id="buy", label="approve USDC", target=USDC),
    Step(tag=4, step_id="buy", label="buy WETH", target=ROUTER),
    Step(tag=5, step_id="loan", label="borrow WETH", target=MORPHO),
)


def plan(*bounds):
    return Plan(
        intent_id="i",
        desk="atomic",
        chain_id=1,
        to=EXECUTOR,
        data=encode_execute(RAW),
        value_wei=0,
        gas_limit=1,
        max_fee_wei=1,
        max_priority_fee_wei=1,
        deadline_s=1,
        bounds=bounds or (Bound(USDC, "USDC", 6, 0), Bound(WETH, "WETH", 18, 0, payout=True)),
        steps=STEPS,
        program_hash="",
        at_risk_usd_e6=0,
        flow_usd_e6=0,
        prices_usd_e8={},
    )


def word(value):
    return bytes(12) + bytes.fromhex(value[2:]) if isinstance(value, str) else value.to_bytes(32)


def transfer(token, sender, recipient, amount):
    topics = (event_topic("Transfer(address,address,uint256)"), word(sender), word(recipient))
    return Log(address=token, topics=topics, data=word(amount))


def wrapping(event, holder, amount):
    return Log(address=WETH, topics=(event_topic(event), word(holder)), data=word(amount))


def executed(delta):
    topics = (event_topic("Executed(bytes32,address,int256)"), bytes(32), word(ROUTER))
    return Log(address=EXECUTOR, topics=topics, data=delta.to_bytes(32, signed=True))


def receipt(*logs):
    return Receipt(transaction_hash=b"", status=1, gas_used=0, block_number=1, logs=logs)


def simulated(entries):
    words = [0] * ((len(entries) + 7) // 8)
    for index, (tag, gas) in enumerate(entries):
        words[index // 8] |= (tag << 24 | gas) << 32 * (index % 8)
    return selector("Simulated(uint256,int256[],uint256[],uint256[])") + encode(
        ["uint256", "int256[]", "uint256[]", "uint256[]"], [90_000, [0, 7], [0] * 4, words]
    )


def test_the_probe_is_the_plans_own_program():
    assert READER.probe_data(plan()) == encode_simulate(RAW)
    assert decode_execute(plan().data) == RAW


def test_a_probe_gives_deltas_and_gas_by_step():
    entries = [(255, 99_000), (0, 98_000), (5, 97_000), (255, 80_000), (1, 79_000), (2, 70_000), (3, 40_000)]
    probe = READER.read_probe(plan(), simulated([*entries, (4, 35_000)]))
    assert probe.deltas == (0, 7)
    gas = dict(probe.gas_by_step)
    assert gas == {"guards": 1_000, "sell": 39_000, "buy": 5_000, "rest": 45_000}
    assert sum(gas.values()) == 90_000


def test_another_revert_is_no_probe_and_is_explained_by_its_step():
    text = selector("Error(string)") + encode(["string"], ["Too little received"])
    data = selector("StepFailed(uint256,address,bytes4,bytes)") + encode(
        ["uint256", "address", "bytes4", "bytes"], [4, ROUTER, selector("swap()"), text]
    )
    assert READER.read_probe(plan(), data) is None
    revert, step_id = READER.explain(plan(), data)
    assert (dict(revert.arguments)["message"], step_id) == ("Too little received", "buy")


def test_a_receipt_gives_each_bounds_change_before_payout():
    logs = (
        transfer(WETH, ROUTER, EXECUTOR, 500),
        transfer(WETH, EXECUTOR, ROUTER, 420),
        transfer(USDC, EXECUTOR, ROUTER, 999),
        wrapping("Deposit(address,uint256)", EXECUTOR, 30),
        wrapping("Withdrawal(address,uint256)", EXECUTOR, 10),
        wrapping("Deposit(address,uint256)", ROUTER, 77),
        transfer(WETH, EXECUTOR, TREASURY, 100),
        executed(-3),
    )
    assert READER.deltas(plan(), receipt(*logs)) == (-3, 100)


def test_a_gain_that_is_paid_out_stands_on_the_treasury_s_account_and_a_loss_never():
    assert READER.holders(plan(), (5, 7)) == (EXECUTOR, TREASURY)
    assert READER.holders(plan(), (5, -7)) == (EXECUTOR, EXECUTOR)


def test_without_payout_what_goes_to_the_treasury_is_spent():
    bounds = Bound(USDC, "USDC", 6, 0), Bound(WETH, "WETH", 18, 0)
    logs = transfer(WETH, EXECUTOR, TREASURY, 100), executed(0)
    assert READER.deltas(plan(*bounds), receipt(*logs)) == (0, -100)


@pytest.mark.parametrize("count", [0, 2])
def test_a_receipt_without_one_run_diverges(count):
    with pytest.raises(Divergence, match="does not report one run"):
        READER.deltas(plan(), receipt(*[executed(0)] * count))


def test_ether_that_is_not_the_first_line_diverges():
    with pytest.raises(Divergence, match="not the first line"):
        READER.deltas(
            plan(Bound(WETH, "WETH", 18, 0), Bound(ZERO_ADDRESS, "ETH", 18, 0)), receipt(executed(0))
        )
