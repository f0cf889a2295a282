"""The hash chain, by vectors that were computed by hand with sha256 alone."""

from __future__ import annotations

import hashlib
import json

import pytest

from tidegate.ledger import GENESIS_HASH, Journal, chain_hash
from tidegate.model import ManualClock, RecordKind

FIRST_BYTES = (
    b'{"actor":"atomic","at_ms":1700000000000,"body":{"a":1267650600228229401496703205376,"b":"\xc3\xa9"},'
    b'"causation_id":"","correlation_id":"i1","kind":"event","seq":1}'
)
FIRST_HASH = "eea97fadf2924aa0590639e68b0f9ba559a7045a274f1c8e07ff91784ca1af4a"
SECOND_HASH = "055153218bb81501b3c05702be3b676fbb7be153467916a2a2559e8b99371f73"


def test_the_hash_covers_exactly_the_documented_bytes(journal: Journal) -> None:
    record = journal.append(RecordKind.EVENT, {"b": "é", "a": 2**100}, actor="atomic", correlation_id="i1")
    assert record.prev_hash == GENESIS_HASH == "0" * 64
    assert record.hash == hashlib.sha256(bytes(32) + FIRST_BYTES).hexdigest() == FIRST_HASH


def test_each_record_carries_the_hash_of_the_one_before(journal: Journal) -> None:
    first = journal.append(RecordKind.EVENT, {"b": "é", "a": 2**100}, actor="atomic", correlation_id="i1")
    second = journal.append(RecordKind.SUMMARY, {}, actor="demo", causation_id="1")
    assert (second.seq, second.prev_hash) == (2, first.hash)
    canonical = {
        "actor": "demo",
        "at_ms": 1_700_000_000_000,
        "body": {},
        "causation_id": "1",
        "correlation_id": "",
        "kind": "summary",
        "seq": 2,
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()
    assert second.hash == hashlib.sha256(bytes.fromhex(first.hash) + text).hexdigest() == SECOND_HASH
    assert journal.head() == (2, second.hash)


@pytest.mark.parametrize(
    "part", ["seq", "at_ms", "actor", "kind", "correlation_id", "causation_id", "body_json"]
)
def test_every_part_is_covered(part: str) -> None:
    parts = {
        "seq": 3,
        "at_ms": 5,
        "actor": "a",
        "kind": "event",
        "correlation_id": "c",
        "causation_id": "d",
        "body_json": "{}",
    }
    changed = {**parts, part: 4 if isinstance(parts[part], int) else str(parts[part]) + " "}
    assert chain_hash(GENESIS_HASH, **parts) != chain_hash(GENESIS_HASH, **changed)
    assert chain_hash(GENESIS_HASH, **parts) != chain_hash("01" * 32, **parts)


def test_big_integers_and_text_come_back_as_they_went_in(journal: Journal) -> None:
    body = {
        "wei": 2**256 - 1,
        "debt": -(2**255),
        "text": 'quote " \\ \u2028 é 😀',
        "nested": [{"b": [True, None]}],
    }
    journal.append(RecordKind.EVENT, body, actor="x")
    assert next(journal.records()).body == body


@pytest.mark.parametrize("body", [{"price": 1.5}, {"raw": b"\x00"}, {1: "x"}, {"x": object()}])
def test_a_body_without_a_canonical_form_is_refused_and_leaves_nothing(journal: Journal, body: dict) -> None:
    with pytest.raises(TypeError):
        journal.append(RecordKind.EVENT, body, actor="x")
    assert journal.head() == (0, GENESIS_HASH)


def test_a_body_of_another_form_than_its_kind_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="gas_used"):
        journal.append(RecordKind.RECEIPT, {"hash": "0x", "status": 1, "block_number": 1}, actor="x")
    assert journal.head() == (0, GENESIS_HASH)


def test_the_same_script_gives_the_same_head(tmp_path) -> None:
    heads = set()
    for name in ("one", "two"):
        with Journal.open(tmp_path / name, clock=ManualClock(1)) as journal:
            for number in range(700):
                journal.append(RecordKind.EVENT, {"n": number}, actor="x")
                if name == "one" and number % 7 == 0:
                    journal.flush()
            heads.add(journal.head())
    assert len(heads) == 1
