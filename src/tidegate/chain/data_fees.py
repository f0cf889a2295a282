"""What a rollup charges for a transaction's data on its parent chain, asked of the rollup itself.

OP stack: ``GasPriceOracle.getL1Fee(bytes)`` of the unsigned transaction, in wei, on top of the gas.
Arbitrum: ``NodeInterface.gasEstimateComponents``: part of the gas is for the parent chain, and paid as
gas. Whatever keeps the fee from being read makes it unknown, which is never zero.
"""

from __future__ import annotations

from typing import Protocol

import rlp

from tidegate.chain.codecs import decode_output, encode_call
from tidegate.chain.networks import DataFee, Network
from tidegate.chain.wire import BlockReference
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    Denied,
    Divergence,
    Reason,
    Rejected,
    Unavailable,
    UnsignedTransaction,
)

GAS_PRICE_ORACLE = Address("0x420000000000000000000000000000000000000F")
NODE_INTERFACE = Address("0x00000000000000000000000000000000000000C8")
_GET_L1_FEE = "getL1Fee(bytes)"
_COMPONENTS = "gasEstimateComponents(address,bool,bytes)"


class CallReads(Protocol):
    """What a data fee is read with. ``ChainReads`` is one."""

    async def call(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address = ZERO_ADDRESS,
        value: int = 0,
        block: BlockReference = "latest",
    ) -> bytes:
        """Return what a call returns at ``block``."""
        ...


async def data_fee_wei(
    reads: CallReads,
    network: Network,
    transaction: UnsignedTransaction,
    *,
    sender: Address,
    block: BlockReference = "latest",
) -> int:
    """Return the parent chain's fee for a transaction's data in wei; 0 where a chain has none.

    Raises
    ------
    Denied
        ``l1_fee_unknown`` if the rollup does not say.
    """
    try:
        match network.data_fee:
            case DataFee.NONE:
                return 0
            case DataFee.OP_STACK:
                asked = encode_call(_GET_L1_FEE, unsigned_bytes(transaction))
                (fee,) = decode_output(("uint256",), await reads.call(GAS_PRICE_ORACLE, asked, block=block))
                return int(fee)
            case DataFee.ARBITRUM:
                to = ZERO_ADDRESS if transaction.to is None else transaction.to
                asked = encode_call(_COMPONENTS, to, transaction.to is None, transaction.data)
                answer = await reads.call(
                    NODE_INTERFACE, asked, sender=sender, value=transaction.value_wei, block=block
                )
                types = ("uint64", "uint64", "uint256", "uint256")
                _, gas_for_parent, base_fee_wei, _ = decode_output(types, answer)
                return int(gas_for_parent) * int(base_fee_wei)
    except (Rejected, Unavailable, Divergence, ValueError) as error:
        raise Denied(
            Reason.L1_FEE_UNKNOWN,
            f"{network.name} does not say what the data of this transaction costs",
            found=str(error),
            allowed="an answer of the chain's own contract",
            fix="wait until the endpoint answers; what the profit depends on is never guessed",
        ) from error


def unsigned_bytes(transaction: UnsignedTransaction) -> bytes:
    """Return the transaction as it is hashed for its signature: EIP-1559, or EIP-155 where legacy."""
    to = b"" if transaction.to is None else bytes.fromhex(transaction.to[2:])
    if transaction.is_legacy:
        body = [transaction.nonce, transaction.max_fee_wei, transaction.gas_limit, to]
        body += [transaction.value_wei, transaction.data, transaction.chain_id, 0, 0]
        return bytes(rlp.encode(body))
    body = [transaction.chain_id, transaction.nonce, transaction.max_priority_fee_wei]
    body += [transaction.max_fee_wei, transaction.gas_limit, to, transaction.value_wei, transaction.data, []]
    return b"\x02" + bytes(rlp.encode(body))
