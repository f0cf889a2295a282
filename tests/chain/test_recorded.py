"""Recorded answers of nodes through our codecs and error classes.

The project's own vectors lie beside this file. Where the shared data are at hand (``TIDEGATE_SHARED_DATA``,
else ``../shared/data``) those of Ethereum's execution-apis and of ethereum-etl run through the same checks.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.chain import address
from tidegate.chain.heads import MinedLog
from tidegate.chain.heads.bloom import bloom_of
from tidegate.chain.jsonrpc import (
    AlreadyKnown,
    CallReverted,
    NodeError,
    RangeTooWide,
    classify,
    decode_answer,
)
from tidegate.chain.simulated import simulated_block_of
from tidegate.chain.wire import (
    block_of,
    header_of,
    integer,
    logs_of,
    mined_logs_of,
    octets,
    receipt_of,
)
from tidegate.model import Divergence, Rejected, TidegateError, Unavailable
from tidegate.venues import erc20

OWN = Path(__file__).parent / "vectors"
SHARED = Path(os.environ.get("TIDEGATE_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "rpc"
ETL = SHARED / "ethereum-etl"

# What an error must mean (street spec 1.3), by the name of its vector; the code of what is not named by it.
MEANINGS: dict[str, tuple[type[TidegateError], str]] = {
    "call-future-block": (Unavailable, "state_missing"),
    "call-halts": (CallReverted, "reverted"),
    "call-reverts": (CallReverted, "reverted"),
    "call-revert-abi-error": (CallReverted, "reverted"),
    "call-revert-abi-panic": (CallReverted, "reverted"),
    "estimate-reverts": (CallReverted, "reverted"),
    "estimate-call-abi-error": (CallReverted, "reverted"),
    "estimate-failed-call": (CallReverted, "reverted"),
    "logs-hash-unknown": (Unavailable, "state_missing"),
    "filter-error-future-block-range": (Unavailable, "state_missing"),
    "trace-block-not-found": (Unavailable, "state_missing"),
    "trace-unknown-tx": (Unavailable, "node_error"),
    "trace-genesis": (Unavailable, "node_error"),
    "method-unknown": (Rejected, "method_not_found"),
    "send-known": (AlreadyKnown, "already_known"),
    "send-underpriced": (Rejected, "replacement_underpriced"),
    "send-nonce-used": (Rejected, "nonce_too_low"),
    "send-no-funds": (Rejected, "insufficient_funds"),
    "send-little-gas": (Rejected, "intrinsic_gas"),
    "send-low-fee": (Rejected, "fee_below_base"),
    "build-block-invalid-transaction": (Rejected, "nonce_too_high"),
    "ethSimulate-big-block-state-calls-array": (RangeTooWide, "range"),
    "ethSimulate-instrict-gas-38013": (Rejected, "intrinsic_gas"),
    "ethSimulate-overflow-nonce-validation": (Unavailable, "node_error"),
}
BY_CODE: dict[int, tuple[type[TidegateError], str]] = {
    -32602: (Rejected, "invalid_params"),
    -38012: (Rejected, "fee_below_base"),
    -38014: (Rejected, "insufficient_funds"),
    -38020: (Rejected, "simulation_order"),
    -38021: (Rejected, "simulation_order"),
}
BY_MESSAGE: dict[str, tuple[type[TidegateError], str]] = {
    "header not found": (Unavailable, "state_missing"),
    "is not a precompile": (Unavailable, "node_error"),
}

# Receipts of before Byzantium say nothing of success: refused, never guessed.
WITHOUT_STATUS = {
    *("get-legacy-contract", "get-legacy-input", "get-legacy-receipt"),
    *("get-block-receipts-by-hash", "get-block-receipts-n"),
}


def exchanges(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield each request of a vector with the bytes of its answer."""
    request: dict[str, Any] = {}
    for line in path.read_text().splitlines():
        if line.startswith(">> "):
            request = json.loads(line[3:])
        elif line.startswith("<< "):
            yield request, line[3:].encode()


def vectors() -> list[Any]:
    found = [*sorted(OWN.glob("*.io")), *sorted(SHARED.glob("execution-apis/*/*.io"))]
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in found]


def expected_meaning(path: Path, error: dict[str, Any]) -> tuple[type[TidegateError], str]:
    if path.stem in MEANINGS:
        return MEANINGS[path.stem]
    by_message = [meaning for text, meaning in BY_MESSAGE.items() if text in error["message"]]
    return by_message[0] if by_message else BY_CODE[error["code"]]


@pytest.mark.parametrize("path", vectors())
def test_a_recorded_answer_means_what_the_specification_says(path: Path) -> None:
    told = list(exchanges(path))
    assert told
    for request, answer in told:
        raw = json.loads(answer)
        if raw.get("error") is not None:
            kind, code = expected_meaning(path, raw["error"])
            with pytest.raises(TidegateError) as caught:
                decode_answer(answer, request["id"])
            assert (type(caught.value), caught.value.code) == (kind, code)
            if isinstance(caught.value, CallReverted) and "data" in raw["error"]:
                assert caught.value.data == octets(raw["error"]["data"])
            continue
        result = decode_answer(answer, request["id"])
        assert result == raw["result"]
        if result is not None and request["method"] in CHECKS:
            if path.stem in WITHOUT_STATUS:
                with pytest.raises(Divergence, match="receipt is not one"):
                    CHECKS[request["method"]](result)
            else:
                CHECKS[request["method"]](result)


def check_header(raw: dict[str, Any]) -> None:
    block, header = block_of(raw), header_of(raw)
    assert header.hash == block.hash == bytes.fromhex(raw["hash"][2:])
    assert header.parent_hash == bytes.fromhex(raw["parentHash"][2:])
    assert (header.number, header.timestamp) == (int(raw["number"], 16), int(raw["timestamp"], 16))
    assert header.base_fee_wei == int(raw.get("baseFeePerGas", "0x0"), 16)
    assert header.gas_limit == int(raw["gasLimit"], 16)
    assert header.logs_bloom == bytes.fromhex(raw["logsBloom"][2:])
    assert header.coinbase.lower() == raw["miner"]


def check_logs(raw: list[dict[str, Any]]) -> None:
    mined = mined_logs_of(raw)
    for log, plain, parts in zip(mined, logs_of(raw), raw, strict=True):
        assert (log.address, log.topics, log.data) == (plain.address, plain.topics, plain.data)
        assert log.address.lower() == parts["address"]
        assert ["0x" + topic.hex() for topic in log.topics] == parts["topics"]
        assert "0x" + log.data.hex() == parts["data"]
        assert "0x" + log.block_hash.hex() == parts["blockHash"]
        assert log.index == int(parts["logIndex"], 16)
        assert log.block_number == int(parts["blockNumber"], 16)
        assert log.transaction_index == int(parts["transactionIndex"], 16)


def check_receipt(raw: dict[str, Any]) -> None:
    receipt = receipt_of(raw)
    assert receipt.status == int(raw["status"], 16)
    assert receipt.gas_used == int(raw["gasUsed"], 16)
    assert receipt.effective_gas_price_wei == int(raw["effectiveGasPrice"], 16)
    assert "0x" + receipt.transaction_hash.hex() == raw["transactionHash"]
    assert (receipt.contract_address or "").lower() == (raw.get("contractAddress") or "")
    check_logs(raw["logs"])
    assert bloom_of(receipt.logs).to_bytes(256, "big") == octets(raw["logsBloom"])


def check_simulation(raw: list[dict[str, Any]]) -> None:
    for parts in raw:
        block = simulated_block_of([parts], len(parts["calls"]))
        assert block.number == int(parts["number"], 16)
        for result, call in zip(block.results, parts["calls"], strict=True):
            assert result.status == int(call["status"], 16)
            assert result.gas_used == int(call["gasUsed"], 16)
            assert len(result.logs) == len(call["logs"])


CHECKS = {
    "eth_getBlockByHash": check_header,
    "eth_getBlockByNumber": check_header,
    "eth_getLogs": check_logs,
    "eth_getTransactionReceipt": check_receipt,
    "eth_getBlockReceipts": lambda raw: [check_receipt(each) for each in raw],
    "eth_simulateV1": check_simulation,
    "eth_chainId": lambda raw: integer(raw) == int(raw, 16),
}


def test_the_vectors_of_our_own_cover_every_class_of_error() -> None:
    kinds = set()
    for path in OWN.glob("*.io"):
        for _, answer in exchanges(path):
            error = json.loads(answer).get("error")
            if error is not None:
                kinds.add(classify(NodeError(error["code"], error["message"]))[0].value)
    assert kinds >= {"not_ready", "final", "known"}
    assert len(list(OWN.glob("*.io"))) >= 25


def recorded_blocks() -> list[Path]:
    """Return the recorded blocks of ethereum-etl, and in any case one of ours."""
    found = sorted(ETL.glob("**/web3_response.eth_getBlockByNumber_*.json"))
    return [OWN / "block-by-number.io", *found]


def raw_result(path: Path) -> Any:
    if path.suffix == ".io":
        return json.loads(next(exchanges(path))[1])["result"]
    return json.loads(path.read_text())["result"]


@pytest.mark.parametrize("path", recorded_blocks(), ids=lambda path: f"{path.parent.name}/{path.stem}"[-60:])
def test_blocks_of_all_ages_are_read(path: Path) -> None:
    """From Frontier, without base fee and mix hash semantics, to those with withdrawals."""
    check_header(raw_result(path))


def recorded_logs() -> list[tuple[Path, Path]]:
    """Return recorded receipts and logs, each with what another program read in them."""
    pairs = [(OWN / "logs-by-hash.io", OWN / "logs-by-hash.io")]
    for folder in sorted(ETL.glob("*/*")):
        truth = folder / "expected_logs.json"
        receipts = sorted(folder.glob("web3_response.eth_getTransactionReceipt_*.json"))
        pairs += [(receipt, truth) for receipt in receipts if truth.exists()]
        transfers = folder / "expected_token_transfers.csv"
        filtered = sorted(folder.glob("web3_response.eth_getFilterLogs_*.json"))
        pairs += [(logs, transfers) for logs in filtered if transfers.exists()]
    return pairs


def check_transfers(logs: Sequence[MinedLog], truth: Path) -> None:
    rows = list(csv.DictReader(truth.read_text().splitlines()))
    for log, row in zip(logs, rows, strict=True):
        decoded = erc20.events.TRANSFER.decode(log)
        assert decoded.sender == address(row["from_address"])
        assert decoded.recipient == address(row["to_address"])
        assert (decoded.value, log.index) == (int(row["value"]), int(row["log_index"]))


@pytest.mark.parametrize(
    ("path", "truth"), recorded_logs(), ids=lambda path: f"{path.parent.name}/{path.stem}"[-40:]
)
def test_logs_are_what_another_program_read_in_the_same_bytes(path: Path, truth: Path) -> None:
    raw = raw_result(path)
    found = mined_logs_of(raw["logs"] if isinstance(raw, dict) else raw)
    check_logs(raw["logs"] if isinstance(raw, dict) else raw)
    if truth == path:
        assert len(found) == 1
        return
    if truth.suffix == ".csv":
        check_transfers(found, truth)
        return
    expected = {
        (entry["transaction_hash"], entry["log_index"]): entry
        for entry in map(json.loads, truth.read_text().splitlines())
    }
    for log in found:
        entry = expected["0x" + log.transaction_hash.hex(), log.index]
        assert log.address == address(entry["address"])
        assert log.data == octets(entry["data"])
        topics = entry["topics"] if isinstance(entry["topics"], list) else entry["topics"].split(",")
        assert ["0x" + topic.hex() for topic in log.topics] == topics


@pytest.mark.parametrize(
    "flaw",
    [
        {"removed": True},
        {"blockHash": None},
        {"blockNumber": None},
        {"logIndex": None},
        {"blockHash": "0x1234"},
        {"address": "0x1234"},
        {"data": "0xzz"},
        {"topics": None},
        {"topics": ["0x1234"]},
    ],
    ids=str,
)
def test_a_log_without_its_place_or_with_a_broken_part_is_refused(flaw: dict[str, Any]) -> None:
    (good,) = raw_result(OWN / "logs-by-hash.io")
    with pytest.raises(Divergence, match="log is not one") as caught:
        mined_logs_of([{**good, **flaw}])
    assert caught.value.code == "node_answer"


@pytest.mark.parametrize("missing", ["hash", "parentHash", "number", "timestamp", "gasLimit"])
def test_a_header_without_its_place_is_refused(missing: str) -> None:
    good = raw_result(OWN / "block-by-number.io")
    for flaw in ({**good, missing: None}, {key: value for key, value in good.items() if key != missing}):
        with pytest.raises(Divergence, match=r"(header|block) is not one"):
            header_of(flaw)
