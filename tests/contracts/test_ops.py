"""What an op may not write, and where its fields end: each op by hand, one byte off."""

import pytest
from tests.hostile.atomic.house import ANSWER, OWNER, TREASURY, WETH

from tidegate.chain import Connection, address, encode_call, event_topic
from tidegate.sim import ExactWorld, WorldReverted
from tidegate.venues.executor import (
    Capture,
    Change,
    ChangeKind,
    FlashKind,
    Load,
    Math,
    MathFunction,
    Patch,
    Permission,
    Role,
    Take,
    assemble,
    decode_error,
    deploy_executor,
    encode_schedule,
)

STEP = 32 + 64
"""Where the first op of a program with one line starts."""


def with_byte(program, at, octet):
    raw = bytearray(assemble(program))
    raw[STEP + at] = octet
    return bytes(raw)


def writers(house):
    """Each op that writes a register, in a program that lands, and where the register stands."""
    call = house.call(1, ANSWER, 32, 1)
    captured = house.call(1, ANSWER, 32, 1, capture=Capture(0))
    behind = len(assemble(house.program(call))) - STEP
    loan = house.loan(2, FlashKind.AAVE_V3, repay_register=0)
    return {
        "CALL": (house.program(captured), 4),
        "READ": (
            house.program(house.call(1, "look(uint256,uint256)", 32, 1, is_read=True, capture=Capture(0))),
            4,
        ),
        "FLASH": (house.program(Load.literal(1, 0, 9), loan), 32 + 32 + 21),
        "LOAD": (house.program(Load.literal(1, 0, 9)), 2),
        "MATH": (house.program(Math(1, 0, MathFunction.ADD, 0, 0)), 2),
        "TAKE": (house.program(call, Take(2, 0, 0)), behind + 2),
    }


@pytest.mark.parametrize("op", ["CALL", "READ", "FLASH", "LOAD", "MATH", "TAKE"])
def test_only_declared_registers_are_written(house, op):
    program, at = writers(house)[op]
    house.run(program)
    raw = bytearray(with_byte(program, at, 3))
    raw[2] = 4
    house.run(bytes(raw))
    raw[2] = 3
    assert house.refusal(bytes(raw)).root.meaning == "atomic: register"
    for beyond in (16, 17, 254):
        raw[2], raw[STEP + at] = 16, beyond
        assert house.refusal(bytes(raw)).root.meaning == "atomic: register"


def test_sixteen_patches_are_one_too_many(house):
    patches = tuple(Patch(word, 0) for word in (0, 1) * 7 + (0,))
    program = house.program(house.call(1, ANSWER, 32, 1, patches=patches))
    assert len(patches) == 15
    assert house.refusal(with_byte(program, 2, 16)).meaning == "atomic: malformed"
    assert house.refusal(with_byte(program, 2, 255)).meaning == "atomic: malformed"


def test_fifteen_patches_are_taken(house):
    ops = [Load.literal(tag, tag, 100 + tag) for tag in range(15)]
    patches = tuple(Patch(0, register) for register in range(15))
    step = house.call(20, "keep(uint256,uint256)", 7, 8, patches=patches)
    house.run(house.program(*ops, step))
    # the last listed is put in first: the first listed stays
    assert house.read(house.target, "kept(uint256)", "uint256", 0) == 100
    assert house.read(house.target, "kept(uint256)", "uint256", 1) == 8


@pytest.mark.parametrize(
    "word",
    [
        1 | 1 << 5,
        1 | 1 << 7,
        1 | 1 << 48,
        1 | 1 << 63,
        0,
        4,
        16,
        9,
        1 | 0x0100 << 64,
        1 | 0x0001 << 64,
        1 | 0x0401 << 64,
        1 | 0x3F01 << 64,
        1 | 0x0101 << 80,
        1 | 0x0101 << 240,
    ],
)
def test_words_that_are_no_policy(house, word):
    key = Change.policy(house.target, b"\x01\x02\x03\x04", Permission(call=True)).key
    with pytest.raises(WorldReverted) as caught:
        house.world.transact(
            house.executor, encode_schedule([Change(ChangeKind.POLICY, key, word)]), sender=OWNER
        )
    assert decode_error(caught.value.data).meaning == "atomic: inadmissible"


def test_views_of_what_is_used_and_offered(house):
    run_id = bytes(31) + b"\x09"
    assert not house.view("used", "bool", run_id)
    house.run(house.program(run_id=run_id))
    assert house.view("used", "bool", run_id)
    house.world.transact(house.executor, encode_call("offer_ownership(address)", house.a), sender=OWNER)
    assert house.view("pending_owner", "address").lower() == house.a.lower()


def test_the_constructor_tells_who_holds_power():
    """What its events leave out, nobody who reads them would know of."""
    guardians = [address(0xF1), address(0xF2)]
    with ExactWorld() as world:
        world.set_balance(OWNER, 10**20)
        executor = deploy_executor(
            world, owner=OWNER, treasury=TREASURY, weth=WETH, deployer=OWNER, guardians=guardians
        )
        logs = Connection(world.url, name="node").request(
            "eth_getLogs", {"address": executor, "fromBlock": "0x0"}
        )
    told = [(log["topics"][0], int(log["topics"][-1], 16), log["data"]) for log in logs]
    word = f"0x{int(Role.GUARDIAN):064x}"
    applied = "0x" + event_topic("Applied(uint256,bytes32,uint256)").hex()
    taken = "0x" + event_topic("OwnershipTaken(address)").hex()
    named = [(applied, int(guardian, 16), word) for guardian in guardians]
    assert told == [*named, (taken, int(OWNER, 16), "0x")]
