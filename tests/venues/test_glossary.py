"""Names for reverts: a book's contracts, the catalogue's functions, Aave's codes in words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from eth_abi import encode

from tidegate.chain import selector
from tidegate.model import Address, Step
from tidegate.venues import glossary_of, load_book
from tidegate.venues.aave_v3 import ERROR_MEANINGS
from tidegate.venues.executor import decode_error

POOL = Address("0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2")
WETH = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
STRANGER = Address("0x" + "77" * 20)
REPAY = selector("repay(address,uint256,uint256,address)")
BOOK = load_book(
    {
        "chain": "ethereum",
        "chain_id": 1,
        "tokens": {"WETH": {"address": WETH, "decimals": 18}},
        "contracts": {"aave_v3.pool": {"address": POOL}, "weth.weth9": {"address": WETH}},
    }
)
STEPS = (Step(tag=4, step_id="repay", label="call repay", target=POOL),)


def failed(target: Address, function: bytes, message: str) -> bytes:
    reason = selector("Error(string)") + encode(["string"], [message])
    values = encode(["uint256", "address", "bytes4", "bytes"], [4, target, function, reason])
    return selector("StepFailed(uint256,address,bytes4,bytes)") + values


@pytest.mark.parametrize(
    ("target", "function", "message", "said"),
    [
        (POOL, REPAY, "39", "aave_v3.pool.repay failed: 39 (no debt of the selected type)"),
        (POOL, REPAY, "4711", "aave_v3.pool.repay failed: 4711"),
        (WETH, selector("transfer(address,uint256)"), "39", "WETH.transfer failed: 39"),
        (POOL, bytes(4), "39", "0x00000000 of aave_v3.pool failed: 39 (no debt of the selected type)"),
        (STRANGER, REPAY, "39", f"repay of {STRANGER} failed: 39"),
    ],
)
def test_a_failed_step_reads_by_its_names(target: Address, function: bytes, message: str, said: str) -> None:
    error = decode_error(failed(target, function, message), STEPS, glossary=glossary_of(BOOK))
    assert str(error) == f"step repay: {said}"


def test_the_meaning_travels_with_the_revert() -> None:
    """The street's record has the innermost revert alone."""
    error = decode_error(failed(POOL, REPAY, "39"), STEPS, glossary=glossary_of(BOOK))
    assert str(error.root.revert) == "Error(message=39, meaning=no debt of the selected type)"


def test_names_stand_in_every_error_of_the_executor() -> None:
    data = selector("DeltaTooLow(address,int256,int256)")
    data += encode(["address", "int256", "int256"], [WETH, -5, 0])
    assert str(decode_error(data, glossary=glossary_of(BOOK))) == "WETH changed by -5, the floor is 0"
    key = bytes.fromhex(POOL[2:]) + REPAY + bytes(8)
    denied = selector("PolicyDenied(uint256,bytes32,uint256)")
    denied += encode(["uint256", "bytes32", "uint256"], [4, key, 1])
    assert "policy denies aave_v3.pool.repay: " in str(decode_error(denied, glossary=glossary_of(BOOK)))


def test_every_code_is_one_that_aave_has() -> None:
    root = Path(__file__).parents[2] / "node_modules/@aave/core-v3/artifacts/contracts/protocol/libraries"
    abi = json.loads((root / "helpers/Errors.sol/Errors.json").read_text())["abi"]
    source = (root.parents[3] / "contracts/protocol/libraries/helpers/Errors.sol").read_text()
    codes = dict(re.findall(r"constant (\w+) = '(\d+)'", source))
    assert {entry["name"] for entry in abi} == set(codes)
    assert set(ERROR_MEANINGS) <= set(codes.values())
    assert codes["NO_DEBT_OF_SELECTED_TYPE"] == "39"
