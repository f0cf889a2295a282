"""Facts about Vyper 0.4.3 that the executor is built on (specs/atomic.md 4.10), each shown."""

import warnings
from pathlib import Path

import bench
import pytest
from bench.atomic_gas import BUDGETS
from vyper.compiler import compile_code
from vyper.compiler.settings import Settings
from vyper.exceptions import VyperException

from tidegate.chain import address, decode_output, encode_call, keccak256
from tidegate.sim import CONTRACTS, ExactWorld, FastWorld, WorldReverted, compile_contract

FACTS = Path(__file__).parent / "facts" / "facts.vy"
TYPED = Path(__file__).parent / "facts" / "typed_calls.vy"
STUBS = Path(bench.__file__).parent / "contracts"
DEPLOYER, NOBODY = address(0xD0_0000_0001), address(0xD0_0000_0002)
BIG = 4_096


@pytest.fixture(scope="module")
def facts():
    world = FastWorld()
    world.set_balance(DEPLOYER, 10**18)
    where = world.deploy(compile_contract(FACTS).initcode, sender=DEPLOYER)

    def ask(signature, *arguments):
        function, _, outputs = signature.rpartition(" -> ")
        answer = world.call(where, encode_call(function, *arguments))
        return decode_output(tuple(outputs.split()), answer)

    ask.address = where
    return ask


def frame(source, function):
    info = compile_code(source, output_formats=["metadata"])["metadata"]["function_info"]
    return next(found["frame_info"] for name, found in info.items() if name.startswith(f"{function} "))


def test_a_call_to_nobody_succeeds_with_no_data(facts):
    assert facts("call_out(address) -> bool bytes", NOBODY) == (True, b"")


def test_an_answer_beyond_the_most_is_cut_without_a_word(facts):
    success, answer = facts("call_out(address) -> bool bytes", facts.address)
    assert success
    assert len(answer) == 64


def test_callee_frames_lie_below_the_callers():
    source = """
@internal
def _inner(data: Bytes[1024]) -> uint256:
    return len(data)

@external
def outer(data: Bytes[1024]) -> uint256:
    return self._inner(data)
"""
    inner, outer = frame(source, "_inner"), frame(source, "outer")
    assert inner["frame_start"] + inner["frame_size"] <= outer["frame_start"]
    # the argument lies in both frames: it is copied
    assert min(inner["frame_size"], outer["frame_size"]) > 1_024


def test_temporaries_live_as_long_as_their_statement():
    """Three big slices one after the other take the room of one; in one expression they take three."""
    one = "len(slice(data, 0, at))"
    header = f"""
@external
def outer(data: Bytes[{BIG}], at: uint256) -> uint256:
    total: uint256 = 0
"""
    alone, apart, together = (
        frame(header + body + "    return total\n", "outer")["frame_size"]
        for body in (
            f"    total += {one}\n",
            f"    total += {one}\n" * 3,
            f"    total += {one} + {one} + {one}\n",
        )
    )
    assert apart == alone
    assert together >= alone + 2 * BIG


def test_a_typed_array_of_calls_pays_for_its_largest_value():
    """One step of 255 that could be: more than 100 guarded steps of the executor."""
    with ExactWorld() as world:
        world.set_balance(DEPLOYER, 10**18)
        typed, meter, target = (
            world.deploy(compile_contract(path).initcode, sender=DEPLOYER)
            for path in (TYPED, STUBS / "gas_meter.vy", STUBS / "stub_target.vy")
        )
        data = encode_call("run((address,bytes)[])", [(target, bytes(68))])
        answer = world.call(meter, encode_call("second(address,bytes)", typed, data), sender=DEPLOYER)
    assert int.from_bytes(answer) > 100 * BUDGETS["step_guarded"]


def test_recursion_does_not_compile():
    source = """
@internal
def _again(n: uint256) -> uint256:
    return self._again(n - 1)
"""
    with pytest.raises(VyperException, match=r"(?i)cyclic"):
        compile_code(source)


def test_extract32_is_the_cheaper_read(facts):
    extracted, sliced = facts("cost_of_reads(bytes) -> uint256 uint256", bytes(64))
    assert extracted < sliced


@pytest.mark.parametrize(("at", "fits"), [(0, True), (32, True), (33, False), (64, False), (2**255, False)])
def test_a_read_outside_reverts_without_data(facts, at, fits):
    if fits:
        assert facts("read_outside(bytes,uint256) -> bytes32", bytes(64), at) == (bytes(32),)
    else:
        with pytest.raises(WorldReverted) as caught:
            facts("read_outside(bytes,uint256) -> bytes32", bytes(64), at)
        assert caught.value.data == b""


def test_a_slice_of_nothing_at_the_end_is_legal(facts):
    assert facts("cut(bytes,uint256,uint256) -> bytes", b"abcd", 4, 0) == (b"",)
    assert facts("cut(bytes,uint256,uint256) -> bytes", b"", 0, 0) == (b"",)
    with pytest.raises(WorldReverted):
        facts("cut(bytes,uint256,uint256) -> bytes", b"abcd", 4, 1)


def test_shortening_a_word_refuses_what_it_would_lose(facts):
    assert facts("to_selector(bytes32) -> bytes4", b"abcd" + bytes(28)) == (b"abcd",)
    with pytest.raises(WorldReverted):
        facts("to_selector(bytes32) -> bytes4", b"abcde" + bytes(27))


@pytest.mark.parametrize(("left", "right", "result"), [(-1801, 600, -3), (1801, 600, 3), (-1800, 600, -3)])
def test_signed_division_goes_toward_zero(facts, left, right, result):
    assert facts("divided(int256,int256) -> int256", left, right) == (result,)


def test_the_default_answer_takes_silent_tokens_but_nobody(facts):
    assert facts("approve_on(address) -> bool", facts.address) == (True,)
    with pytest.raises(WorldReverted):
        facts("approve_on(address) -> bool", NOBODY)


def test_raw_revert_raises_custom_errors(facts):
    with pytest.raises(WorldReverted) as caught:
        facts("refuse(uint256) -> uint256", 7)
    assert caught.value.data == keccak256(b"Refused(uint256)")[:4] + (7).to_bytes(32)


@pytest.mark.parametrize("name", ["value", "floor", "NONE"])
def test_names_that_no_argument_can_have(name):
    source = "@external\ndef outer({}: uint256):\n    pass\n"
    compile_code(source.format("anything_else"))
    with pytest.raises(VyperException):
        compile_code(source.format(name))


def test_a_listed_abi_is_needed_as_raw_errors_are_not_in_it():
    abi = compile_code(FACTS.read_text(), output_formats=["abi"])["abi"]
    assert "Refused" not in str(abi)


@pytest.mark.slow
def test_the_experimental_generator_does_not_take_the_interpreter():
    source = (CONTRACTS / "atomic_executor.vy").read_text()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # the generator breaks inside: an error of the compiler's own, or a bare one of Python's
        with pytest.raises((VyperException, StopIteration)):
            compile_code(source, settings=Settings(experimental_codegen=True))
