import msgspec
import pytest

from tidegate.chain.jsonrpc import (
    AlreadyKnown,
    BatchRefused,
    CallReverted,
    ErrorClass,
    NodeError,
    RangeTooWide,
    classify,
    decode_answer,
    decode_batch,
    encode_batch,
    encode_request,
    meaning_of,
)
from tidegate.model import Rejected, Unavailable


def answer(identity: object = 1, **parts: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": identity, **parts})


# Wordings of several clients: geth's from the execution-apis tests, anvil's as it gave them.
WORDINGS = [
    (-32000, "already known", ErrorClass.KNOWN, "already_known"),
    (-32003, "transaction already imported", ErrorClass.KNOWN, "already_known"),
    (-32000, "nonce too low: next nonce 5, tx nonce 3", ErrorClass.FINAL, "nonce_too_low"),
    (-32000, "nonce too high: address 0x00, tx: 999 state: 0", ErrorClass.FINAL, "nonce_too_high"),
    (-32003, "Insufficient funds for gas * price + value", ErrorClass.FINAL, "insufficient_funds"),
    (-38014, "err: insufficient funds for gas * price + value", ErrorClass.FINAL, "insufficient_funds"),
    (-38012, "err: max fee per gas less than block base fee", ErrorClass.FINAL, "fee_below_base"),
    (-32003, "replacement transaction underpriced", ErrorClass.FINAL, "replacement_underpriced"),
    (-32000, "transaction underpriced: tip needed 1", ErrorClass.FINAL, "underpriced"),
    (-38013, "err: intrinsic gas too low: have 0, want 21000", ErrorClass.FINAL, "intrinsic_gas"),
    (-32000, "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", ErrorClass.FINAL, "gas_limit"),
    (-32000, "exceeds block gas limit", ErrorClass.FINAL, "gas_limit"),
    (-32000, "header not found", ErrorClass.NOT_READY, "state_missing"),
    (
        -32602,
        "BlockOutOfRangeError: block height is 6",
        ErrorClass.NOT_READY,
        "state_missing",
    ),
    (-32000, "missing trie node 0xabc (path )", ErrorClass.NOT_READY, "state_pruned"),
    (-32000, "historical state 0xabc is not available", ErrorClass.NOT_READY, "state_pruned"),
    (-32000, "required historical state unavailable (reexec=128)", ErrorClass.NOT_READY, "state_pruned"),
    (4444, "pruned history unavailable", ErrorClass.NOT_READY, "state_pruned"),
    (429, "Your app has exceeded its compute units per second", ErrorClass.NOT_READY, "rate_limited"),
    (-32000, "daily request count exceeded, request rate limited", ErrorClass.NOT_READY, "rate_limited"),
    (-32005, "limit exceeded", ErrorClass.NOT_READY, "limit_exceeded"),
    (-32005, "query returned more than 10000 results", ErrorClass.RANGE, "range"),
    (-32602, "block range is too large", ErrorClass.RANGE, "range"),
    (-32600, "eth_getLogs is limited to a 10,000 block range", ErrorClass.RANGE, "range"),
    (-32602, "invalid argument 0: hex string without 0x prefix", ErrorClass.FINAL, "invalid_params"),
    (-32601, "Method not found", ErrorClass.FINAL, "method_not_found"),
    (3, "execution reverted: custom error 0xdeadbeef", ErrorClass.FINAL, "reverted"),
    (-32000, "execution reverted", ErrorClass.FINAL, "reverted"),
    (-32603, "EVM error InvalidFEOpcode", ErrorClass.FINAL, "halt"),
    (-32015, "out of gas", ErrorClass.FINAL, "halt"),
    (-32603, "Internal error", ErrorClass.NOT_READY, "node_error"),
    (-32000, "something nobody has seen", ErrorClass.UNKNOWN, "node_error"),
]


@pytest.mark.parametrize(("code", "message", "kind", "name"), WORDINGS)
def test_one_meaning_for_every_wording(code, message, kind, name):
    assert classify(NodeError(code, message)) == (kind, name)
    expected = {
        ErrorClass.KNOWN: AlreadyKnown,
        ErrorClass.RANGE: RangeTooWide,
        ErrorClass.FINAL: CallReverted if name in ("reverted", "halt") else Rejected,
        ErrorClass.NOT_READY: Unavailable,
        ErrorClass.UNKNOWN: Unavailable,
    }
    error = meaning_of(NodeError(code, message))
    assert type(error) is expected[kind]
    assert error.code == ("reverted" if name == "halt" else name)


def test_a_request_is_what_the_standard_says():
    assert msgspec.json.decode(encode_request("eth_call", [{"to": "0x"}, "latest"], 7)) == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "eth_call",
        "params": [{"to": "0x"}, "latest"],
    }


def test_a_result_comes_out_even_if_it_is_null():
    assert decode_answer(answer(result="0x1"), 1) == "0x1"
    assert decode_answer(answer(result=None), 1) is None
    assert decode_answer(answer(result=5, error=None), 1) == 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b'{"jsonrpc":"2.0","id":1,"resu',
        b"[]",
        b"17",
        answer(2, result="0x1"),
        answer("1", result="0x1"),
        answer(),
    ],
)
def test_what_is_no_answer_is_unavailable(body):
    with pytest.raises(Unavailable) as caught:
        decode_answer(body, 1)
    assert caught.value.code == "transport"


@pytest.mark.parametrize("data", ["0xdeadbeef", {"data": "0xdeadbeef", "message": "x"}])
def test_revert_data_is_found_where_nodes_put_it(data):
    with pytest.raises(CallReverted) as caught:
        decode_answer(answer(error={"code": 3, "message": "execution reverted", "data": data}), 1)
    assert caught.value.data == bytes.fromhex("deadbeef")


@pytest.mark.parametrize("data", ["0xzz", None, 5, "Reverted 0x"])
def test_revert_data_that_can_not_be_read_is_none(data):
    with pytest.raises(CallReverted) as caught:
        decode_answer(answer(error={"code": 3, "message": "execution reverted", "data": data}), 1)
    assert caught.value.data == b""


def test_errors_of_another_shape_are_still_errors():
    with pytest.raises(Unavailable, match="daily quota"):
        decode_answer(answer(error="daily quota used up"), 1)
    with pytest.raises(Unavailable):
        decode_answer(answer(error={"code": "x"}), 1)


def test_answers_of_a_batch_are_matched_by_id_in_any_order():
    calls = [("a", []), ("b", []), ("c", [])]
    assert [item["id"] for item in msgspec.json.decode(encode_batch(calls, 10))] == [10, 11, 12]
    parts = [
        {"id": 12, "result": "c"},
        {"id": 10, "result": "a"},
        {"id": 11, "error": {"code": -32601, "message": "Method not found"}},
    ]
    first, second, third = decode_batch(msgspec.json.encode(parts), 10, 3)
    assert (first, third) == ("a", "c")
    assert isinstance(second, Rejected)


def test_a_missing_or_doubled_id_fails_that_call_alone():
    parts = [{"id": 1, "result": "a"}, {"id": 3, "result": "c"}, {"id": 3, "result": "d"}, "noise"]
    first, second, third = decode_batch(msgspec.json.encode(parts), 1, 3)
    assert first == "a"
    assert isinstance(second, Unavailable)
    assert isinstance(third, Unavailable)


@pytest.mark.parametrize(
    ("code", "message", "is_too_large"),
    [
        (-32601, "batch not supported", False),
        (-32600, "Invalid Request", False),
        (-32700, "parse error", False),
        (-32000, "batch requests are disabled", False),
        (-32600, "batch too large", True),
        (-32005, "batch limit 10 exceeded", True),
    ],
)
def test_a_refused_batch_says_whether_a_smaller_one_may_do(code, message, is_too_large):
    with pytest.raises(BatchRefused) as caught:
        decode_batch(answer(None, error={"code": code, "message": message}), 1, 2)
    assert caught.value.is_too_large is is_too_large


def test_one_error_for_a_whole_batch_is_raised():
    with pytest.raises(Unavailable) as limited:
        decode_batch(answer(None, error={"code": -32005, "message": "limit exceeded"}), 1, 2)
    assert limited.value.code == "limit_exceeded"
    with pytest.raises(Unavailable):
        decode_batch(b"{}", 1, 2)
