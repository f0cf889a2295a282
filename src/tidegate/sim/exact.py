"""The exact world: a real node (anvil) of our own. The only authority on gas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tidegate.chain import (
    Abi,
    BlockReference,
    CallReverted,
    RevertDecoder,
    block_of,
    block_parameter,
    call_parameter,
    hex_data,
    integer,
    logs_of,
    octets,
    quantity,
    receipt_of,
)
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    Block,
    Divergence,
    Log,
    Receipt,
    Unavailable,
)
from tidegate.sim.environment import DEFAULT_CHAIN_ID, GENESIS
from tidegate.sim.errors import WorldReverted, halted
from tidegate.sim.nodeworld import NodeWorld


class ExactWorld(NodeWorld):
    """A chain on a node that this object starts and stops. Keeps the ``World`` interface.

    Every account may send without a key (``transact``, ``deploy``); signed bytes go in by
    ``send_raw``. With ``mining="auto"`` each transaction is mined at once in a block of its own, and
    the same script gives the same block hashes.

    Parameters
    ----------
    chain_id
        What ``CHAINID`` gives.
    genesis
        Number 0, time, base fee and gas limit to start from.
    block_time_s
        By how much each block's time exceeds its parent's, however long it really took.
    mining
        ``auto``; ``manual`` (only ``mine``); ``interval`` (a block every ``block_time_s`` of real time).
    order
        Which of the waiting transactions a block takes first: ``fifo`` as they came, or ``fees`` by
        the highest fee that they offer.
    fork_url, fork_block
        Start from another chain's state at a block. The url is never shown.
    timeout_s
        How long one request may take.
    """

    def __init__(
        self,
        *,
        chain_id: int = DEFAULT_CHAIN_ID,
        genesis: Block = GENESIS,
        block_time_s: int = 1,
        mining: str = "auto",
        order: str = "fifo",
        fork_url: str | None = None,
        fork_block: int | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        super().__init__(
            chain_id=chain_id,
            genesis=genesis,
            block_time_s=block_time_s,
            mining=mining,
            fork_url=fork_url,
            fork_block=fork_block,
            order=order,
            timeout_s=timeout_s,
        )
        self._reverts = RevertDecoder()

    def register_abi(self, abi: Abi) -> None:
        """Let custom errors of ``abi`` be decoded from now on."""
        self._reverts.register(abi)

    def block(self, reference: BlockReference = "latest") -> Block:
        """Return the newest block, or another. Raises ``Unavailable`` if there is no such block."""
        if isinstance(reference, bytes):
            found = self._request("eth_getBlockByHash", hex_data(reference), False)
        else:
            found = self._request("eth_getBlockByNumber", block_parameter(reference), False)
        if found is None:
            raise Unavailable("no such block", code="block_missing", found=str(reference))
        return block_of(found)

    def call(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address = ZERO_ADDRESS,
        value: int = 0,
        block: BlockReference = "latest",
    ) -> bytes:
        """Return what the call returns at ``block``, in that block's environment.

        Raises
        ------
        WorldReverted
            With the decoded revert.
        Rejected
            If the node would not run it: the sender lacks the value.
        """
        parameter = call_parameter(sender=sender, to=to, payload=data, value=value)
        try:
            return octets(self._request("eth_call", parameter, block_parameter(block)))
        except CallReverted as error:
            raise self._reverted(error) from None

    def code(self, account: Address) -> bytes:
        """Return an account's runtime code, empty where there is none."""
        return octets(self._request("eth_getCode", account, "latest"))

    def balance(self, account: Address) -> int:
        """Return an account's balance in wei."""
        return integer(self._request("eth_getBalance", account, "latest"))

    def storage(self, account: Address, slot: int) -> int:
        """Return one storage word."""
        return integer(self._request("eth_getStorageAt", account, quantity(slot), "latest"))

    def nonce(self, account: Address) -> int:
        """Return how many transactions or creations an account has made."""
        return integer(self._request("eth_getTransactionCount", account, "latest"))

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return a transaction's receipt, or none while it is not in a block."""
        found = self._request("eth_getTransactionReceipt", hex_data(transaction_hash))
        return None if found is None else receipt_of(found)

    def logs(
        self,
        *,
        from_block: int | str = "earliest",
        to_block: int | str = "latest",
        account: Address | None = None,
        topics: Sequence[bytes | None] = (),
    ) -> tuple[Log, ...]:
        """Return the logs of a span of blocks, oldest first."""
        parts: dict[str, Any] = {
            "fromBlock": block_parameter(from_block),
            "toBlock": block_parameter(to_block),
            "topics": [None if topic is None else hex_data(topic) for topic in topics],
        }
        if account is not None:
            parts["address"] = account
        return logs_of(self._request("eth_getLogs", parts))

    def deploy(self, initcode: bytes, *, sender: Address, value: int = 0) -> Address:
        """Create a contract in a block of its own and return its address. Raises as ``transact`` does."""
        receipt = self._send(None, initcode, sender, value, None)
        if receipt.contract_address is None:
            raise Divergence("a creation has no address", found=str(receipt))
        return receipt.contract_address

    def transact(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address,
        value: int = 0,
        gas_limit: int | None = None,
    ) -> Receipt:
        """Send one transaction, have it mined and return its receipt. Takes a fee if there is a base fee.

        Raises
        ------
        WorldReverted
            With the decoded revert and the receipt; nonce and fee are gone.
        Rejected
            If the node refuses the transaction.
        """
        return self._send(to, data, sender, value, gas_limit)

    def send_raw(self, raw: bytes) -> bytes:
        """Send signed bytes and return the transaction's hash. Not an acceptance by a block."""
        return octets(self._request("eth_sendRawTransaction", hex_data(raw)))

    def send_raw_and_wait(self, raw: bytes) -> Receipt:
        """Send signed bytes, wait until they are mined and return the receipt, whatever its status."""
        return receipt_of(self._request("eth_sendRawTransactionSync", hex_data(raw)))

    def set_code(self, account: Address, code: bytes) -> None:
        """Put runtime code at an address; nonce, balance and storage stay."""
        self._request("anvil_setCode", account, hex_data(code))

    def set_balance(self, account: Address, wei: int) -> None:
        """Give an account exactly ``wei``."""
        self._request("anvil_setBalance", account, quantity(wei))

    def set_storage(self, account: Address, slot: int, word: int) -> None:
        """Set one storage word."""
        self._request("anvil_setStorageAt", account, quantity(slot), hex_data(word.to_bytes(32, "big")))

    def set_nonce(self, account: Address, nonce: int) -> None:
        """Set an account's nonce."""
        self._request("anvil_setNonce", account, quantity(nonce))

    def _send(
        self, to: Address | None, payload: bytes, sender: Address, value: int, gas_limit: int | None
    ) -> Receipt:
        price = self.next_base_fee_wei()
        transaction = call_parameter(
            sender=sender,
            to=to,
            payload=payload,
            value=value,
            gas_limit=self._gas_limit if gas_limit is None else gas_limit,
            gas_price_wei=price,
        )
        receipt = receipt_of(self._request("eth_sendTransactionSync", transaction))
        if receipt.status != 1:
            raise self._reverted(self._why(receipt.transaction_hash), receipt)
        return receipt

    def _why(self, transaction_hash: bytes) -> CallReverted:
        """Return why a mined transaction failed: its receipt does not say, its trace does."""
        trace = self._request(
            "debug_traceTransaction",
            hex_data(transaction_hash),
            {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}},
        )
        reason = str(trace.get("error", ""))
        reverted = reason == "execution reverted"
        return CallReverted(octets(trace.get("output") or "0x"), halt="" if reverted else reason)

    def _reverted(self, error: CallReverted, receipt: Receipt | None = None) -> WorldReverted:
        if error.halt:
            return WorldReverted(partial(halted, error.halt), b"", receipt)
        return WorldReverted(partial(self._reverts.decode, error.data), error.data, receipt)
