import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.chain import (
    PANIC_MEANINGS,
    RevertDecoder,
    decode_revert,
    encode_arguments,
    encode_call,
    selector,
)

ABI = [
    {"type": "function", "name": "f", "inputs": []},
    {
        "type": "error",
        "name": "UnderBound",
        "inputs": [{"name": "token", "type": "address"}, {"name": "", "type": "uint256"}],
    },
    {"type": "error", "name": "Paused"},
]


def test_reasons_of_require_are_read():
    revert = decode_revert(encode_call("Error(string)", "executor: paused"))
    assert (revert.kind, str(revert)) == ("error", "Error(message=executor: paused)")


@pytest.mark.parametrize(("code", "meaning"), [*PANIC_MEANINGS.items(), (0x99, "unknown panic code")])
def test_panics_are_named(code, meaning):
    revert = decode_revert(encode_call("Panic(uint256)", code))
    assert (revert.kind, dict(revert.arguments)) == ("panic", {"code": code, "meaning": meaning})


def test_custom_errors_are_read_by_abi_and_only_then():
    data = encode_call("UnderBound(address,uint256)", "0x" + "00" * 20, 7)
    assert decode_revert(data).kind == "unknown"
    revert = decode_revert(data, [ABI])
    assert (revert.kind, revert.name, revert.data) == ("custom", "UnderBound", data)
    assert revert.arguments == (("token", "0x" + "00" * 20), ("1", 7))
    assert decode_revert(selector("Paused()"), [ABI]).name == "Paused"


def test_no_data_is_empty():
    assert (decode_revert(b"").kind, decode_revert(b"").data) == ("empty", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",
        selector("Error(string)"),
        selector("Error(string)") + bytes(31),
        selector("Error(string)") + encode_arguments(["bytes"], [b"\xff\xfe"]),
        selector("Panic(uint256)") + bytes(31),
        selector("UnderBound(address,uint256)") + b"\xff" * 64,
    ],
)
def test_malformed_data_is_unknown_and_kept(data):
    revert = decode_revert(data, [ABI])
    assert (revert.kind, revert.data) == ("unknown", data)


def test_abis_are_learned_one_after_another_and_none_is_forgotten():
    decoder = RevertDecoder([ABI])
    decoder.register([{"type": "error", "name": "Other", "inputs": [{"name": "by", "type": "int256"}]}])
    decoder.register(ABI)
    assert decoder.decode(encode_call("Other(int256)", -5)).arguments == (("by", -5),)
    assert decoder.decode(selector("Paused()")).name == "Paused"


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", selector("Error(string)"), selector("UnderBound(address,uint256)")]),
)
def test_no_bytes_make_it_fail(tail, head):
    revert = RevertDecoder([ABI]).decode(head + tail)
    assert revert.data == head + tail
    assert revert.kind in ("empty", "unknown", "error", "custom", "panic")
