"""P19: bytecode, interface and error list reproduce; the bytecode holds nothing that it must not."""

import subprocess
import sys

from tests.hostile.atomic.attacks import attack

from tidegate.chain import abi_signature, event_topic, selector
from tidegate.sim import compile_contract
from tidegate.venues.executor import ERROR_ABI, executor_build

FUNCTIONS = {
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
}
EVENTS = {
    "Executed(bytes32,address,int256)",
    "Scheduled(uint256,bytes32,uint256,uint256)",
    "Applied(uint256,bytes32,uint256)",
    "Cancelled(uint256,bytes32,uint256)",
    "Tightened(uint256,bytes32,uint256,address)",
    "Paused(address)",
    "Unpaused(address)",
    "Swept(address,uint256)",
    "OwnershipOffered(address)",
    "OwnershipTaken(address)",
}
SIZE_BUDGET = 23_500


def entries(kind):
    return {abi_signature(entry) for entry in executor_build().abi if entry["type"] == kind}


def test_p19_functions_have_the_selectors_of_the_specification():
    assert entries("function") >= set(FUNCTIONS)
    assert {name: selector(name).hex() for name in FUNCTIONS} == FUNCTIONS


def test_p19_events_are_those_of_the_specification():
    assert entries("event") == EVENTS
    assert len({event_topic(name) for name in EVENTS}) == len(EVENTS)


def test_p19_the_listed_errors_are_those_that_the_codec_decodes():
    plain = [
        {"name": entry["name"], "inputs": [(item["type"], item["name"]) for item in entry["inputs"]]}
        for entry in ERROR_ABI
    ]
    listed = [
        {"name": entry["name"], "inputs": [(item["type"], item["name"]) for item in entry["inputs"]]}
        for entry in executor_build().abi
        if entry["type"] == "error"
    ]
    by_name = {"key": lambda entry: entry["name"]}
    assert sorted(listed, **by_name) == sorted(plain, **by_name)


@attack("P19", "pass other bytecode off as this source", stops="two builds have one digest")
def test_p19_another_process_with_an_empty_cache_builds_the_same_bytes(tmp_path):
    script = (
        "from tidegate.venues.executor import executor_build as b; "
        "print(b().initcode.hex(), b().runtime.hex())"
    )
    output = subprocess.run(
        [sys.executable, "-c", script],
        env={"TIDEGATE_CACHE": str(tmp_path), "PYTHONHASHSEED": "7", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    build = executor_build()
    assert output == [build.initcode.hex(), build.runtime.hex()]
    assert any(tmp_path.rglob("*.json"))


def test_p19_the_runtime_is_within_its_budget():
    assert len(executor_build().runtime) <= SIZE_BUDGET


STOPPING = {0x00, 0x56, 0xF3, 0xFD, 0xFE, 0xFF}  # STOP JUMP RETURN REVERT INVALID SELFDESTRUCT


def opcodes(code):
    """Return the opcodes that can run: what follows the start or a JUMPDEST whose place the code names.

    Vyper appends a table of places behind the code; read as code it would be anything.
    """
    named = {code[i : i + 2] for i in range(len(code) - 1)}
    starts = [0] + [i for i, op in enumerate(code) if op == 0x5B and i.to_bytes(2) in named]
    found = set()
    for place in starts:
        while place < len(code):
            op = code[place]
            found.add(op)
            if op in STOPPING:
                break
            place += 1 + (op - 0x5F if 0x60 <= op <= 0x7F else 0)
    return found


@attack("F9", "look for an opcode that runs or becomes other code", stops="no such opcode in the bytecode")
def test_no_delegatecall_no_callcode_no_selfdestruct_no_create():
    """The Furucombo class can not exist: nothing foreign ever runs in the executor's name."""
    found = opcodes(executor_build().runtime)
    assert not found & {0xF4, 0xF2, 0xFF, 0xF0, 0xF5}
    assert {0xF1, 0xFA} <= found


def test_the_scan_finds_what_it_looks_for(tmp_path):
    path = tmp_path / "proxy.vy"
    path.write_text(
        "#pragma version 0.4.3\n@external\ndef f(to: address):\n"
        '    x: Bytes[32] = raw_call(to, b"", max_outsize=32, is_delegate_call=True)\n'
    )
    assert 0xF4 in opcodes(compile_contract(path).runtime)
