"""JSON-RPC as bytes, and what a node's errors mean. No I/O: the pool and the blocking connection share it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from tidegate.model import Rejected, TidegateError, Unavailable

_encoder = msgspec.json.Encoder()
_SHOWN_MAX = 200


class ErrorClass(StrEnum):
    """What to do about a node's error (street spec 1.3)."""

    NOT_READY = "not_ready"  # ask another endpoint: this one lacks the state, or is overloaded
    RANGE = "range"  # ask for less
    FINAL = "final"  # every node would say so
    KNOWN = "known"  # the transaction is there already: success
    UNKNOWN = "unknown"  # nothing can be concluded


class NodeError(msgspec.Struct, frozen=True):
    """The ``error`` of an answer. ``data`` is revert data where there is some."""

    code: int
    message: str
    data: bytes = b""


class CallReverted(Rejected):
    """A call ran and was undone: ``data`` is its revert data, ``halt`` names an abnormal end."""

    default_code = "reverted"

    def __init__(self, data: bytes, *, halt: str = "") -> None:
        super().__init__("the call reverts", found=halt or "0x" + data.hex()[:_SHOWN_MAX])
        self.data = data
        self.halt = halt


class RangeTooWide(Rejected):
    """``eth_getLogs`` over more blocks or results than the node serves at once."""

    default_code = "range"


class AlreadyKnown(Rejected):
    """The node has these very bytes already: the sender treats it as success."""

    default_code = "already_known"


class BatchRefused(Rejected):
    """The node takes no batches, or none as large as this: its calls can still be made one by one."""

    default_code = "batch_refused"

    def __init__(self, error: NodeError) -> None:
        super().__init__("the node refuses the batch", found=f"{error.message[:_SHOWN_MAX]} ({error.code})")
        self.is_too_large = _TOO_LARGE.search(error.message) is not None


# The first pattern that is found in the message decides; clients word their errors differently.
_MEANINGS: tuple[tuple[str, ErrorClass, str], ...] = (
    (r"already known|already imported", ErrorClass.KNOWN, "already_known"),
    (
        r"query returned more than|block range (is )?too|range too large|too many (blocks|results)"
        r"|exceed(s|ed)? (the )?(maximum )?(block )?range|limited to .* block",
        ErrorClass.RANGE,
        "range",
    ),
    (r"nonce too low", ErrorClass.FINAL, "nonce_too_low"),
    (r"nonce too high", ErrorClass.FINAL, "nonce_too_high"),
    (r"replacement transaction underpriced", ErrorClass.FINAL, "replacement_underpriced"),
    (r"insufficient funds", ErrorClass.FINAL, "insufficient_funds"),
    (r"less than block base fee|fee cap less than", ErrorClass.FINAL, "fee_below_base"),
    (r"underpriced", ErrorClass.FINAL, "underpriced"),
    (r"intrinsic gas too low", ErrorClass.FINAL, "intrinsic_gas"),
    (r"intrinsic gas too high|exceeds block gas limit", ErrorClass.FINAL, "gas_limit"),
    (r"max initcode size", ErrorClass.FINAL, "initcode_size"),
    (
        r"missing trie node|pruned|(historical )?state .*(not |un)available|archive (node|mode|data)",
        ErrorClass.NOT_READY,
        "state_pruned",
    ),
    (
        r"header not found|block .*not found|unknown block|blockoutofrange|beyond current head",
        ErrorClass.NOT_READY,
        "state_missing",
    ),
    (
        r"too many requests|rate.?limit|quota|capacity exceeded|requests? per (second|minute|day)",
        ErrorClass.NOT_READY,
        "rate_limited",
    ),
    (r"unauthori[sz]ed|(invalid|missing) (api|project|access)|forbidden", ErrorClass.NOT_READY, "auth"),
)
_PATTERNS = tuple((re.compile(text, re.IGNORECASE), kind, code) for text, kind, code in _MEANINGS)
_HALT = re.compile(r"EVM error:? (\w+)|^(out of gas|invalid opcode|stack (?:under|over)flow)", re.IGNORECASE)
_BATCH = re.compile(r"batch", re.IGNORECASE)
_TOO_LARGE = re.compile(r"too (large|many|big|long)|limit|exceed|maximum", re.IGNORECASE)
_BATCH_CODES = frozenset({-32600, -32601, -32602, -32700})
_CODES: dict[int, tuple[ErrorClass, str]] = {
    429: (ErrorClass.NOT_READY, "rate_limited"),
    -32005: (ErrorClass.NOT_READY, "limit_exceeded"),
    -32601: (ErrorClass.FINAL, "method_not_found"),
    -32603: (ErrorClass.NOT_READY, "node_error"),
    -32602: (ErrorClass.FINAL, "invalid_params"),
    -38010: (ErrorClass.FINAL, "nonce_too_low"),
    -38011: (ErrorClass.FINAL, "nonce_too_high"),
    -38012: (ErrorClass.FINAL, "fee_below_base"),
    -38013: (ErrorClass.FINAL, "intrinsic_gas"),
    -38014: (ErrorClass.FINAL, "insufficient_funds"),
    -38015: (ErrorClass.FINAL, "gas_limit"),
    -38020: (ErrorClass.FINAL, "simulation_order"),
    -38021: (ErrorClass.FINAL, "simulation_order"),
    -38022: (ErrorClass.FINAL, "simulation_override"),
    -38023: (ErrorClass.FINAL, "simulation_override"),
    -38024: (ErrorClass.FINAL, "sender_not_account"),
    -38025: (ErrorClass.FINAL, "initcode_size"),
}


def encode_request(method: str, params: Sequence[Any], identity: int) -> bytes:
    """Return the body of one request."""
    return _encoder.encode({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})


def encode_batch(calls: Sequence[tuple[str, Sequence[Any]]], first_identity: int) -> bytes:
    """Return the body of a batch whose ids count up from ``first_identity``."""
    return _encoder.encode(
        [
            {"jsonrpc": "2.0", "id": first_identity + index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
    )


def decode_answer(body: bytes, identity: int) -> Any:
    """Return the result of one answer.

    Raises
    ------
    Unavailable
        If the body is no JSON-RPC answer to this request.
    TidegateError
        What the node's error means (``meaning_of``).
    """
    return _result(_json(body), identity)


def decode_batch(body: bytes, first_identity: int, count: int) -> list[Any]:
    """Return, for each request of a batch in order, its result or the error to raise for it.

    Answers may come in any order. A missing or doubled id fails that request alone.

    Raises
    ------
    BatchRefused
        If the node does not take batches, or none of this size.
    Unavailable
        If the body is no answer to a batch, or one error stands for all.
    """
    answers = _json(body)
    if not isinstance(answers, list):
        raise _error_of_a_batch(answers, body)
    by_identity: dict[Any, list[Any]] = {}
    for answer in answers:
        if isinstance(answer, dict):
            by_identity.setdefault(answer.get("id"), []).append(answer)
    results: list[Any] = []
    for identity in range(first_identity, first_identity + count):
        found = by_identity.get(identity, [])
        try:
            if len(found) != 1:
                raise _unreadable(f"{len(found)} answers with id {identity}", body)
            results.append(_result(found[0], identity))
        except TidegateError as error:
            results.append(error)
    return results


def _error_of_a_batch(answer: Any, body: bytes) -> TidegateError:
    if not _has_error(answer):
        return _unreadable("no list", body)
    error = _error_of(answer)
    if error.code in _BATCH_CODES or _BATCH.search(error.message):
        return BatchRefused(error)
    return meaning_of(error)


def classify(error: NodeError) -> tuple[ErrorClass, str]:
    """Return what to do about a node's error, and its stable code."""
    if error.code == 3 or error.message.startswith("execution reverted"):
        return ErrorClass.FINAL, "reverted"
    for pattern, kind, code in _PATTERNS:
        if pattern.search(error.message):
            return kind, code
    if _HALT.search(error.message):
        return ErrorClass.FINAL, "halt"
    return _CODES.get(error.code, (ErrorClass.UNKNOWN, "node_error"))


_FIXES = {"insufficient_funds": "send the account that signs enough of the chain's coin for its gas"}


def meaning_of(error: NodeError) -> TidegateError:
    """Return the error of ours that a node's error means."""
    kind, code = classify(error)
    shown = f"{error.message[:_SHOWN_MAX]} ({error.code})"
    if code == "reverted":
        return CallReverted(error.data)
    if code == "halt":
        return CallReverted(b"", halt=error.message[:_SHOWN_MAX])
    if kind is ErrorClass.KNOWN:
        return AlreadyKnown("the node has this transaction already", found=shown)
    if kind is ErrorClass.RANGE:
        return RangeTooWide("the range is too wide for this node", found=shown)
    if kind is ErrorClass.FINAL:
        return Rejected(f"the node refuses: {code}", code=code, found=shown, fix=_FIXES.get(code))
    return Unavailable("the node can not answer", code=code, found=shown)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise _unreadable(str(error), body) from error


def _result(answer: Any, identity: int) -> Any:
    if not isinstance(answer, dict):
        raise _unreadable("no object", b"")
    if _has_error(answer):
        raise meaning_of(_error_of(answer))
    if answer.get("id") != identity:
        raise _unreadable(f"id {answer.get('id')!r} instead of {identity}", b"")
    if "result" not in answer:
        raise _unreadable("neither result nor error", b"")
    return answer["result"]


def _has_error(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("error") is not None


def _error_of(answer: dict[str, Any]) -> NodeError:
    error = answer["error"]
    if not isinstance(error, dict):
        return NodeError(code=0, message=str(error))
    return NodeError(
        code=error["code"] if isinstance(error.get("code"), int) else 0,
        message=str(error.get("message", "")),
        data=_revert_data(error.get("data")),
    )


def _revert_data(data: Any) -> bytes:
    """Return revert data: some nodes give it as text, some inside an object."""
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x"):
        try:
            return bytes.fromhex(data[2:])
        except ValueError:
            return b""
    return b""


def _unreadable(why: str, body: bytes) -> Unavailable:
    begins = f"; begins {body[:60]!r}" if body else ""
    return Unavailable("the answer is no JSON-RPC", code="transport", found=f"{why}{begins}")
