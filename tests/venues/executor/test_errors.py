"""Reverts of the executor, decoded down to the step and the root cause."""

import pytest
from eth_abi import encode
from tests.venues.executor.golden import MORPHO, ROUTER, USDC, WETH

from tidegate.chain import abi_signature, selector
from tidegate.model import Step
from tidegate.venues.executor import ERROR_ABI, Glossary, decode_error

SWAP = selector("swap(uint256)")
STEPS = (Step(tag=4, step_id="buy", label="buy WETH", target=ROUTER),)
ROUTER_ABI = [{"type": "error", "name": "TooLittle", "inputs": [{"name": "received", "type": "uint256"}]}]
SELECTORS = {
    "StepFailed": "432646ec",
    "PolicyDenied": "0347bd06",
    "CheckFailed": "0335144f",
    "FeeTooHigh": "e757126a",
    "AllowanceLeft": "4cf07488",
    "DeltaTooLow": "a467f219",
    "LossTooHigh": "9f6c8606",
    "Simulated": "1d5e4497",
}


def error(name, types, *values):
    return selector(f"{name}({types})") + encode(types.split(","), values)


def text(message):
    return error("Error", "string", message)


def step_failed(reason, tag=4):
    return error("StepFailed", "uint256,address,bytes4,bytes", tag, ROUTER, SWAP, reason)


def denied(rule, key):
    return error("PolicyDenied", "uint256,bytes32,uint256", 4, key, rule)


def test_selectors_are_those_of_the_specification():
    assert {entry["name"]: selector(abi_signature(entry)).hex() for entry in ERROR_ABI} == SELECTORS


def test_a_failed_step_has_its_name_target_and_reason():
    found = decode_error(step_failed(text("Too little received")), STEPS, glossary=Glossary({SWAP: "swap"}))
    assert (found.tag, found.step_id, found.target, found.selector) == (4, "buy", ROUTER, SWAP)
    assert found.root.meaning == "Too little received"
    assert str(found) == f"step buy: swap of {ROUTER} failed: Too little received"


@pytest.mark.parametrize(
    ("reason", "kind", "meaning"),
    [
        (error("Panic", "uint256", 0x11), "panic", "overflow"),
        (error("TooLittle", "uint256", 9), "custom", "TooLittle(received=9)"),
        (b"", "empty", "without data"),
        (b"\x01\x02\x03\x04\x05", "unknown", "unknown"),
        (text("x" * 400)[:256], "error", "x" * 188 + "..."),
    ],
)
def test_reasons_of_every_kind(reason, kind, meaning):
    root = decode_error(step_failed(reason), STEPS, abis=[ROUTER_ABI]).root
    assert root.revert.kind == kind
    assert meaning in root.meaning


def test_an_error_inside_an_error_keeps_every_tag():
    found = decode_error(step_failed(step_failed(error("FeeTooHigh", "uint256,uint256", 7, 5), tag=9)), STEPS)
    assert (found.tag, found.cause.tag, found.cause.step_id) == (4, 9, None)
    assert found.root.meaning == "the loan's fee is 7, at most 5 was planned"
    assert str(found).startswith("step buy: ")
    assert "step 9: " in str(found)


@pytest.mark.parametrize(
    ("rule", "meaning"),
    [
        (1, "flag is missing"),
        (2, "value"),
        (3, "expired"),
        (4, "no code"),
        (16, "argument rule 0"),
        (27, "argument rule 11"),
        (7, "rule 7"),
    ],
)
def test_policy_refusals_of_a_function(rule, meaning):
    found = decode_error(denied(rule, bytes.fromhex(ROUTER[2:]) + SWAP + bytes(8)), STEPS)
    assert (found.rule, found.target, found.selector, found.step_id) == (rule, ROUTER, SWAP, "buy")
    assert meaning in found.meaning


@pytest.mark.parametrize("rule", [5, 6])
def test_policy_refusals_of_an_account(rule):
    found = decode_error(denied(rule, bytes(12) + bytes.fromhex(MORPHO[2:])), STEPS)
    assert (found.rule, found.target, found.selector) == (rule, MORPHO, None)


@pytest.mark.parametrize(
    ("data", "meaning"),
    [
        (error("CheckFailed", "uint256,uint256,uint256", 4, 1, 2), "a check failed: 1 against 2"),
        (error("AllowanceLeft", "address,address", WETH, ROUTER), f"of {WETH} to {ROUTER} is left"),
        (error("DeltaTooLow", "address,int256,int256", USDC, -5, 0), f"{USDC} changed by -5, the floor is 0"),
        (error("LossTooHigh", "address,uint256,uint256", USDC, 5, 10), "5 in this run and 10 today"),
        (error("Simulated", "uint256,int256[],uint256[],uint256[]", 1, [], [], []), "simulated"),
        (text("atomic: expired"), "atomic: expired"),
    ],
)
def test_errors_of_the_whole_run(data, meaning):
    found = decode_error(data, STEPS)
    assert meaning in found.meaning
    assert found.cause is None


def test_any_bytes_are_answered():
    for length in range(0, 300, 7):
        for entry in ERROR_ABI:
            decode_error(selector(abi_signature(entry)) + b"\xff" * length)
    assert decode_error(b"").meaning == "reverted without data"
