"""Record the vectors of ``tests/chain/vectors`` from a node of our own.

Run ``python -m tests.chain.record_vectors``. The script, chain id, genesis, accounts and contracts are fixed,
so that the same anvil gives the same blocks. A file holds what was said, one line a message: ``>>`` is a
request, ``<<`` the answer, ``//`` a comment.
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from eth_account import Account
from tests.sim.assembly import BOB, ETHER, INVALID, LOGS, WRITES_AND_REVERTS, initcode

from tidegate.chain import address, keccak256
from tidegate.model import Address
from tidegate.sim import ExactWorld

VECTORS = Path(__file__).parent / "vectors"
KEY = Account.from_key("0x" + "33" * 32)
SENDER = address(KEY.address)
CHAIN_ID = 31_337
_GWEI = 10**9


class Recording:
    """Asks the node and writes down what was said."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.count = 0

    def ask(self, name: str, meaning: str, method: str, *params: Any) -> Any:
        """Ask one thing and write it to ``name``.io; return the result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        body = json.dumps(request, separators=(",", ":"))
        answer = self._send(body.encode())
        (VECTORS / f"{name}.io").write_text(f"// {meaning}\n>> {body}\n<< {answer.decode()}\n")
        self.count += 1
        return json.loads(answer).get("result")

    def _send(self, body: bytes) -> bytes:
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            return bytes(response.read())


def signed(
    nonce: int, *, to: Address = BOB, value: int = 1, max_fee_wei: int = 10 * _GWEI, gas: int = 21_000
) -> str:
    """Return a signed transfer as hex."""
    transaction = {
        "to": to,
        "value": value,
        "gas": gas,
        "maxFeePerGas": max_fee_wei,
        "maxPriorityFeePerGas": 0,
        "nonce": nonce,
        "chainId": CHAIN_ID,
        "type": 2,
    }
    return "0x" + bytes(KEY.sign_transaction(transaction).raw_transaction).hex()


def record() -> int:
    """Write every file anew; return how many."""
    VECTORS.mkdir(exist_ok=True)
    for old in VECTORS.glob("*.io"):
        old.unlink()
    with ExactWorld(chain_id=CHAIN_ID) as world:
        node = Recording(world.url)
        world.set_balance(SENDER, 10 * ETHER)
        emits = world.deploy(initcode(LOGS), sender=SENDER)
        reverts = world.deploy(initcode(WRITES_AND_REVERTS), sender=SENDER)
        invalid = world.deploy(initcode(INVALID), sender=SENDER)
        landed = world.transact(emits, sender=SENDER)
        block_hash = "0x" + landed.block_hash.hex()
        transaction_hash = "0x" + landed.transaction_hash.hex()
        number = hex(landed.block_number)
        nothing = "0x" + "11" * 32
        node.ask("chain-id", "the chain's id", "eth_chainId")
        node.ask("block-by-number", "a header", "eth_getBlockByNumber", number, False)
        node.ask("block-by-hash", "the same by its hash", "eth_getBlockByHash", block_hash, False)
        node.ask("block-missing", "a number that is not there yet", "eth_getBlockByNumber", "0x3e7", False)
        node.ask("block-hash-unknown", "a hash that nobody knows", "eth_getBlockByHash", nothing, False)
        node.ask("block-genesis", "the first block", "eth_getBlockByNumber", "0x0", False)
        node.ask("logs-by-hash", "all logs of a block", "eth_getLogs", {"blockHash": block_hash})
        node.ask("logs-by-range", "of a span", "eth_getLogs", {"fromBlock": "0x0", "toBlock": number})
        node.ask("logs-hash-unknown", "of a block that nobody knows", "eth_getLogs", {"blockHash": nothing})
        node.ask(
            "logs-range-reversed", "a span upside down", "eth_getLogs", {"fromBlock": "0x3", "toBlock": "0x1"}
        )
        node.ask("receipt-landed", "status 1, with a log", "eth_getTransactionReceipt", transaction_hash)
        node.ask("receipt-missing", "no such transaction", "eth_getTransactionReceipt", nothing)
        node.ask("call-reverts", "custom revert data", "eth_call", {"to": reverts}, "latest")
        node.ask("call-halts", "an invalid opcode", "eth_call", {"to": invalid}, "latest")
        node.ask("call-future-block", "state that is not there", "eth_call", {"to": emits}, "0x3e7")
        node.ask(
            "estimate-reverts", "no gas limit is enough", "eth_estimateGas", {"from": SENDER, "to": reverts}
        )
        node.ask("fee-history", "base fees and rewards", "eth_feeHistory", "0x3", "latest", [60])
        call = {"from": SENDER, "to": emits, "gas": "0x186a0"}
        failing = {"from": SENDER, "to": reverts, "gas": "0x186a0"}
        node.ask(
            "simulate",
            "one call lands, one reverts",
            "eth_simulateV1",
            {"blockStateCalls": [{"calls": [call, failing]}]},
            "latest",
        )
        world.set_mining("manual")
        world.send_raw(bytes.fromhex(signed(world.nonce(SENDER), to=reverts, gas=100_000)[2:]))
        world.mine()
        failed = "0x" + keccak256(bytes.fromhex(signed(4, to=reverts, gas=100_000)[2:])).hex()
        node.ask("receipt-reverted", "status 0", "eth_getTransactionReceipt", failed)
        world.set_base_fee(_GWEI)
        world.mine()
        nonce = world.nonce(SENDER)
        node.ask("send-accepted", "waits for a block", "eth_sendRawTransaction", signed(nonce))
        node.ask("send-known", "the same bytes again", "eth_sendRawTransaction", signed(nonce))
        node.ask("send-underpriced", "same nonce, same fee", "eth_sendRawTransaction", signed(nonce, value=2))
        node.ask("send-nonce-used", "a nonce below the account's", "eth_sendRawTransaction", signed(0))
        node.ask(
            "send-no-funds",
            "more than the account has",
            "eth_sendRawTransaction",
            signed(nonce + 1, value=100 * ETHER),
        )
        node.ask(
            "send-little-gas",
            "less gas than a transfer takes",
            "eth_sendRawTransaction",
            signed(nonce + 1, gas=20_000),
        )
        node.ask(
            "send-low-fee",
            "a fee cap below the base fee",
            "eth_sendRawTransaction",
            signed(nonce + 1, max_fee_wei=1),
        )
        node.ask("send-nonsense", "bytes that are no transaction", "eth_sendRawTransaction", "0x1234")
        node.ask("method-unknown", "a method that no node has", "eth_tidegate")
        node.ask(
            "params-invalid", "a parameter of the wrong type", "eth_getBalance", "not an address", "latest"
        )
        return node.count


if __name__ == "__main__":
    record()
