"""The build: reproduced, without what an executor must never have, and with exactly its ABI."""

import re

import pytest
from tests.contracts.record import RECORDED, fresh_build, recorded_build

from tidegate.chain import keccak256
from tidegate.sim import CONTRACTS, compile_contract

CALLS = {
    "execute(bytes)": "09c5eabe",
    "simulate(bytes)": "24217062",
    "unwind(bytes)": "83eb7e7a",
    "executeOperation(address,uint256,uint256,address,bytes)": "1b11d0ff",
    "onFlashLoan(address,address,uint256,uint256,bytes)": "23e30c8b",
    "uniswapV3FlashCallback(uint256,uint256,bytes)": "e9cbafb0",
    "onMorphoFlashLoan(uint256,bytes)": "31f57072",
    "receiveFlashLoan(address[],uint256[],uint256[],bytes)": "f04f2707",
    "schedule((uint256,bytes32,uint256)[])": "98d0fef8",
    "apply((uint256,bytes32,uint256)[])": "ea9cc3e2",
    "cancel((uint256,bytes32,uint256)[])": "04422832",
    "tighten((uint256,bytes32,uint256)[])": "8cc9ca25",
    "pause()": None,
    "unpause()": None,
    "sweep(address[])": None,
    "sweep_nft(address,uint256)": None,
    "offer_ownership(address)": None,
    "accept_ownership()": None,
}
VIEWS = {
    "owner()", "pending_owner()", "head()", "roles(address)", "policy(bytes32)", "lenders(address)",
    "spenders(address)", "assets(address)", "caps(uint256)", "guarded(uint256)", "limits(address)",
    "lost(address)", "used(bytes32)", "eta(bytes32)", "treasury()", "paused()", "guarded_count()",
    "WETH()", "DELAY()", "version()",
}  # fmt: skip
PAYABLE = {"execute(bytes)", "simulate(bytes)", "unwind(bytes)"}
EVENTS = {
    "Executed(bytes32 indexed,address indexed,int256)",
    "Scheduled(uint256 indexed,bytes32 indexed,uint256,uint256)",
    "Applied(uint256 indexed,bytes32 indexed,uint256)",
    "Cancelled(uint256 indexed,bytes32 indexed,uint256)",
    "Tightened(uint256 indexed,bytes32 indexed,uint256,address)",
    "Paused(address indexed)",
    "Unpaused(address indexed)",
    "Swept(address indexed,uint256)",
    "OwnershipOffered(address indexed)",
    "OwnershipTaken(address indexed)",
}
RUNTIME_MAX_BYTES = 23_500
FORBIDDEN_OPCODES = {
    0xF0: "CREATE",
    0xF2: "CALLCODE",
    0xF4: "DELEGATECALL",
    0xF5: "CREATE2",
    0xFF: "SELFDESTRUCT",
}
PUSH1, PUSH2, PUSH32 = 0x60, 0x61, 0x7F
CALL, STATICCALL = 0xF1, 0xFA


@pytest.fixture(scope="module")
def executor():
    return compile_contract("atomic_executor")


def canonical(item):
    if item["type"].startswith("tuple"):
        inside = ",".join(canonical(part) for part in item["components"])
        return f"({inside})" + item["type"].removeprefix("tuple")
    return item["type"]


def signatures(build, kind):
    return {
        f"{entry['name']}({','.join(canonical(item) for item in entry['inputs'])})": entry
        for entry in build.abi
        if entry["type"] == kind
    }


@pytest.mark.parametrize("name", RECORDED)
def test_the_recorded_build_is_reproduced(name):
    """From the source alone, past every cache; and the cache hands out the same bytes."""
    recorded = recorded_build(name)
    assert fresh_build(name) == recorded
    cached = compile_contract(name)
    assert "0x" + keccak256(cached.initcode).hex() == recorded["initcode_keccak"]
    assert "0x" + keccak256(cached.runtime).hex() == recorded["runtime_keccak"]


@pytest.mark.parametrize("name", RECORDED)
def test_the_settings_are_those_decided(name):
    recorded = recorded_build(name)
    assert recorded["compiler"] == "vyper 0.4.3+commit.bff19ea2"
    assert recorded["settings"] == {
        "optimize": "gas",
        "evm_version": "cancun",
        "experimental_codegen": False,
        "nonreentrancy_by_default": False,
    }


def test_it_fits(executor):
    assert len(executor.runtime) <= RUNTIME_MAX_BYTES
    assert executor.warnings == ()


def test_the_functions_are_those_listed(executor):
    functions = signatures(executor, "function")
    assert set(functions) == set(CALLS) | VIEWS
    for signature, selector in CALLS.items():
        if selector is not None:
            assert keccak256(signature.encode())[:4].hex() == selector
    assert {name for name, entry in functions.items() if entry["stateMutability"] == "payable"} == PAYABLE
    assert {name for name, entry in functions.items() if entry["stateMutability"] == "view"} == VIEWS


def test_callbacks_answer_as_their_lenders_ask(executor):
    outputs = {
        name: [item["type"] for item in entry["outputs"]]
        for name, entry in signatures(executor, "function").items()
    }
    assert outputs["executeOperation(address,uint256,uint256,address,bytes)"] == ["bool"]
    assert outputs["onFlashLoan(address,address,uint256,uint256,bytes)"] == ["bytes32"]


def test_the_events_are_those_listed(executor):
    found = set()
    for entry in executor.abi:
        if entry["type"] == "event":
            inputs = (item["type"] + " indexed" * item["indexed"] for item in entry["inputs"])
            found.add(f"{entry['name']}({','.join(inputs)})")
    assert found == EVENTS


def test_there_is_no_way_to_become_other_code(executor):
    """No DELEGATECALL, CALLCODE, CREATE, CREATE2 or SELFDESTRUCT among the instructions.

    The dispatcher copies its jump table from behind the code: where, its first PUSH2 says.
    """
    code, at, instructions = executor.runtime, 0, set()
    end = int.from_bytes(code[code.index(PUSH2) + 1 :][:2])
    assert len(code) - 100 < end < len(code)
    while at < end:
        instructions.add(code[at])
        at += code[at] - PUSH1 + 2 if PUSH1 <= code[at] <= PUSH32 else 1
    assert at == end
    assert instructions >= {CALL, STATICCALL}
    assert not {FORBIDDEN_OPCODES[octet] for octet in instructions & FORBIDDEN_OPCODES.keys()}


@pytest.mark.parametrize("name", ["atomic_executor", "guard_lens", "erc3156_lender"])
def test_everything_external_has_natspec(name):
    source = next(CONTRACTS.rglob(f"{name}.vy")).read_text()
    externals = re.split(r"\n@(?:external|deploy)\n", source)[1:]
    assert externals
    for text in externals:
        head, _, rest = text.partition(':\n    """\n')
        doc = rest.partition('"""')[0]
        assert "@notice" in doc, text[:80]
        arguments = re.search(r"\((.*)\)", head, re.DOTALL).group(1).partition(") ->")[0]
        for argument in re.findall(r"(\w+):", arguments):
            assert f"@param {argument} " in doc, (argument, text[:80])
        assert ("@return" in doc) == ("->" in head), text[:80]


def test_the_pin_is_exact():
    for path in CONTRACTS.rglob("*.vy"):
        assert re.match(r"#\s?pragma version 0\.4\.3\n", path.read_text()), path.name
