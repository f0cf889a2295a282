"""The golden program of specs/atomic.md 4.3, packed here by hand, and run at its own addresses."""

from pathlib import Path

import pytest
from tests.hostile.atomic.house import CONTRACTS as DOUBLES
from tests.hostile.atomic.house import DEPLOYER, OPERATOR, OWNER, TREASURY

from tidegate.chain import address, decode_output, encode_call, keccak256
from tidegate.sim import FastWorld, WorldReverted, compile_contract
from tidegate.venues.executor import (
    ERROR_ABI,
    Change,
    ChangeKind,
    FlashKind,
    Role,
    apply_changes,
    calldata_gas,
    decode_error,
    decode_executed,
    deploy_executor,
    encode_execute,
    policy_key,
)

USDC = address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
WETH = address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
MORPHO = address("0xbbbbbbbbbb9cc5e90e3b3af64bdaf62c37eeffcb")
ROUTER = address("0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45")
EXECUTOR = address("0x" + "e1" * 20)
FLOOR = 34_150_000_000_000_000
STUBS = Path(__file__).parent / "stubs"

EXACT_INPUT_SINGLE = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
SWAP_POLICY = 0x104030203010000000000000001
"""The policy word of section 4.6: assets at words 0 and 1, recipient self at word 3."""


def word(value):
    return int(value).to_bytes(32)


def account(value):
    return bytes.fromhex(value[2:])


def left(value):
    return account(value) + bytes(12)


def right(value):
    return bytes(12) + account(value)


def swap(token_in, token_out, fee, amount, least):
    words = right(token_in) + right(token_out) + word(fee) + right(EXECUTOR)
    return bytes.fromhex("04e45aaf") + words + word(amount) + word(least) + word(0)


def packed():
    """Every byte from the description, none from the assembler."""
    header = bytes.fromhex("0100040200713fb30000000000000009502f9000000000000000000100000000")
    usdc_line = left(USDC) + word(0)
    weth_line = account(WETH) + b"\x01" + bytes(11) + word(FLOOR)
    load = bytes.fromhex("0500000000000000000000000000000000000000000000004563918244f40000")
    approve_weth = b"\x03\x01" + account(WETH) + b"\x00\x00" + bytes(8) + left(ROUTER)
    call_2 = (
        bytes.fromhex("010200ff020000e4")
        + account(ROUTER)
        + swap(WETH, USDC, 500, 5 * 10**18, 14_955_000_000)
    )
    approve_usdc = b"\x03\x03" + account(USDC) + b"\x02\x00" + bytes(8) + left(ROUTER)
    call_4 = bytes.fromhex("010401ff030000e468b3465833fb72a70ecdf485e0e4c7bd8665fc45") + swap(
        USDC, WETH, 3000, 0, 5_040_000_000_000_000_000
    ) + b"\x04\x02"  # fmt: skip
    scope = approve_weth + call_2 + approve_usdc + call_4
    flash = (
        bytes.fromhex("040504bbbbbbbbbb9cc5e90e3b3af64bdaf62c37eeffcb028200000000000000")
        + account(WETH) + b"\x00\x01\x00" + bytes(9) + word(0)
    )  # fmt: skip
    assert len(scope) == 642
    return header + usdc_line + weth_line + load + flash + scope


@pytest.fixture(scope="module")
def mainnet():
    """Mainnet's addresses with doubles behind them, the executor at the address that the program names."""
    world = FastWorld(chain_id=1)
    world.register_abi(ERROR_ABI)
    for sender in (DEPLOYER, OWNER, OPERATOR):
        world.set_balance(sender, 10**18)
    first = deploy_executor(world, owner=OWNER, treasury=TREASURY, weth=WETH, deployer=DEPLOYER)
    world.set_code(EXECUTOR, world.code(first))
    for slot in (0, 2):  # owner, head
        world.set_storage(EXECUTOR, slot, world.storage(first, slot))
    put = {USDC: DOUBLES / "token.vy", WETH: DOUBLES / "token.vy", ROUTER: STUBS / "swap_router.vy"}
    for place, source in put.items():
        made = world.deploy(compile_contract(source).initcode, sender=DEPLOYER)
        world.set_code(place, world.code(made))
    for token in (USDC, WETH):
        world.transact(token, encode_call("rebase(uint256)", 10_000), sender=DEPLOYER)
        for holder in (ROUTER, MORPHO):
            world.transact(token, encode_call("mint(address,uint256)", holder, 10**20), sender=DEPLOYER)
    lender = world.deploy(
        compile_contract(DOUBLES / "morpho_lender.vy").initcode + right(WETH) + right(USDC), sender=DEPLOYER
    )
    world.set_code(MORPHO, world.code(lender))
    apply_changes(
        world,
        EXECUTOR,
        [
            Change.role(OPERATOR, Role.OPERATOR),
            Change(ChangeKind.POLICY, policy_key(ROUTER, bytes.fromhex("04e45aaf")), SWAP_POLICY),
            Change.lender(MORPHO, FlashKind.MORPHO_BLUE),
            Change.spender(ROUTER),
            *(change for token in (USDC, WETH) for change in (Change.approval(token), Change.asset(token))),
        ],
        owner=OWNER,
    )
    return world


def balance(world, token, holder):
    return decode_output(("uint256",), world.call(token, encode_call("balanceOf(address)", holder)))[0]


def rates(world, *, usdc_per_weth_e2, weth_back_bps):
    """5 WETH become USDC at a price, and these become WETH again: bps of what was sold."""
    for token, numerator, denominator in (
        (WETH, usdc_per_weth_e2 * 10**4, 10**18),
        (USDC, weth_back_bps * 10**18, 10**4 * usdc_per_weth_e2 * 10**4),
    ):
        data = encode_call("set_rate(address,uint256,uint256)", token, numerator, denominator)
        world.transact(ROUTER, data, sender=DEPLOYER)


def test_the_description_gives_the_recorded_bytes():
    program = packed()
    assert len(program) == 930
    assert keccak256(program).hex() == "a531d5f0c83de48014f5a71befaaeab24fb4ebb985550c45cc5a3802b7154afd"
    assert calldata_gas(program) == 8_496


def test_it_runs_and_pays_its_gain_to_the_treasury(mainnet):
    with mainnet.snapshot():
        rates(mainnet, usdc_per_weth_e2=3_000_00, weth_back_bps=10_090)
        receipt = mainnet.transact(EXECUTOR, encode_execute(packed()), sender=OPERATOR)
        assert balance(mainnet, WETH, TREASURY) == 5 * 10**18 * 90 // 10_000
        assert balance(mainnet, WETH, EXECUTOR) == balance(mainnet, USDC, EXECUTOR) == 0
        (executed,) = decode_executed(receipt.logs, EXECUTOR)
        assert executed.program_hash == keccak256(packed())
        assert executed.delta == 0  # of the first line, USDC


def test_a_gain_under_the_floor_reverts(mainnet):
    with mainnet.snapshot():
        rates(mainnet, usdc_per_weth_e2=3_000_00, weth_back_bps=10_090)
        greedier = packed().replace(word(FLOOR), word(45_000_000_000_000_001))
        with pytest.raises(WorldReverted) as caught:
            mainnet.transact(EXECUTOR, encode_execute(greedier), sender=OPERATOR)
        error = decode_error(caught.value.data)
        assert error.revert.name == "DeltaTooLow"
        assert dict(error.revert.arguments)["delta"] == 45_000_000_000_000_000


def test_a_worse_rate_fails_at_its_step(mainnet):
    with mainnet.snapshot():
        rates(mainnet, usdc_per_weth_e2=3_000_00, weth_back_bps=10_079)
        with pytest.raises(WorldReverted) as caught:
            mainnet.transact(EXECUTOR, encode_execute(packed()), sender=OPERATOR)
        error = decode_error(caught.value.data)
        assert (error.tag, error.target) == (4, ROUTER)
        assert error.cause is not None
        assert error.cause.meaning == "Too little received"


def test_another_recipient_is_denied(mainnet):
    """The rule on word 3 counts from 16: third in the list."""
    with mainnet.snapshot():
        rates(mainnet, usdc_per_weth_e2=3_000_00, weth_back_bps=10_090)
        thief = packed().replace(right(EXECUTOR), right(OPERATOR), 1)
        with pytest.raises(WorldReverted) as caught:
            mainnet.transact(EXECUTOR, encode_execute(thief), sender=OPERATOR)
        error = decode_error(caught.value.data)
        assert dict(error.revert.arguments)["rule"] == 18
        assert error.tag == 2
