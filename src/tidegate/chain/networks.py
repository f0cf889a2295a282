"""The network registry: what is particular about a chain, as data.

Figures are defaults; a configuration may change any but the kind of a public network: nobody makes
a mainnet a devnet by naming it one.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tidegate.model import ConfigError

GWEI = 10**9


class NetworkKind(StrEnum):
    """Whether value is at stake: a world of ours, a public test network, or the real thing."""

    DEVNET = "devnet"
    TESTNET = "testnet"
    MAINNET = "mainnet"


class DataFee(StrEnum):
    """How a rollup charges for data on its parent chain."""

    NONE = "none"
    OP_STACK = "op_stack"
    ARBITRUM = "arbitrum"

    @property
    def is_charged(self) -> bool:
        """Say whether there is such a fee at all."""
        return self is not DataFee.NONE


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One chain. Fees in wei per gas, times in seconds.

    ``confirmations`` is the depth at which a receipt counts as settled and at which two endpoints must
    agree on a block's hash. ``reorg_max`` is the deepest reorg that is followed; a deeper one halts.
    ``transaction_gas_max`` is the protocol's cap for one transaction, None where only the block's limit
    counts. ``is_legacy`` chains have no base fee. ``has_builders`` says that somebody builds its blocks who
    takes bundles: on a rollup the sequencer alone orders what comes.
    """

    chain_id: int
    name: str
    kind: NetworkKind
    block_time_s: float
    confirmations: int
    lag_max_blocks: int = 3
    reorg_max_blocks: int = 64
    clock_skew_max_s: int = 15
    priority_floor_wei: int = 0
    priority_cap_wei: int = 5 * GWEI
    fee_cap_wei: int = 500 * GWEI
    gas_margin_bps: int = 11_500
    transaction_gas_max: int | None = None
    is_legacy: bool = False
    data_fee: DataFee = DataFee.NONE
    has_builders: bool = False


ETHEREUM_TRANSACTION_GAS_MAX = 16_777_216
"""EIP-7825: 2**24 gas at most for one transaction."""


def _main(chain_id: int, name: str, block_time_s: float, confirmations: int, **particular: object) -> Network:
    fields = {"chain_id": chain_id, "name": name, "kind": NetworkKind.MAINNET, **particular}
    return msgspec.convert(
        {**fields, "block_time_s": block_time_s, "confirmations": confirmations}, Network, strict=True
    )


_PUBLIC = (
    _main(1, "ethereum", 12, 3, transaction_gas_max=ETHEREUM_TRANSACTION_GAS_MAX, has_builders=True),
    _main(10, "optimism", 2, 12, clock_skew_max_s=10, data_fee=DataFee.OP_STACK, fee_cap_wei=50 * GWEI),
    _main(56, "bnb", 0.75, 15, priority_floor_wei=GWEI // 20),
    _main(100, "gnosis", 5, 6),
    _main(
        137, "polygon", 2, 64, reorg_max_blocks=256, priority_floor_wei=25 * GWEI, priority_cap_wei=300 * GWEI
    ),
    _main(8453, "base", 2, 12, clock_skew_max_s=10, data_fee=DataFee.OP_STACK, fee_cap_wei=50 * GWEI),
    _main(42161, "arbitrum", 0.25, 20, clock_skew_max_s=10, data_fee=DataFee.ARBITRUM, fee_cap_wei=50 * GWEI),
    _main(43114, "avalanche", 2, 1, priority_floor_wei=0),
    msgspec.structs.replace(_main(17000, "holesky", 12, 3), kind=NetworkKind.TESTNET),
    msgspec.structs.replace(_main(560048, "hoodi", 12, 3), kind=NetworkKind.TESTNET),
    msgspec.structs.replace(_main(84532, "base-sepolia", 2, 12), kind=NetworkKind.TESTNET),
    msgspec.structs.replace(_main(421614, "arbitrum-sepolia", 0.25, 20), kind=NetworkKind.TESTNET),
    msgspec.structs.replace(
        _main(11155111, "sepolia", 12, 3, transaction_gas_max=ETHEREUM_TRANSACTION_GAS_MAX),
        kind=NetworkKind.TESTNET,
        has_builders=True,
    ),
    msgspec.structs.replace(_main(11155420, "optimism-sepolia", 2, 12), kind=NetworkKind.TESTNET),
)

NETWORKS: dict[int, Network] = {network.chain_id: network for network in _PUBLIC}


def devnet_network(chain_id: int, *, name: str = "devnet", block_time_s: float = 12) -> Network:
    """Return the registry entry of a chain that we started ourselves.

    Raises
    ------
    ConfigError
        If ``chain_id`` belongs to a public network.
    """
    public = NETWORKS.get(chain_id)
    if public is not None:
        raise ConfigError(
            f"chain {chain_id} can not be a devnet",
            found=f"{chain_id} is {public.name}, a {public.kind.value}",
            allowed="an id that no public network has, such as 31337",
            fix="start the devnet with another chain id; a fork of a public chain is stage fork",
        )
    return Network(
        chain_id=chain_id,
        name=name,
        kind=NetworkKind.DEVNET,
        block_time_s=block_time_s,
        confirmations=1,
        transaction_gas_max=ETHEREUM_TRANSACTION_GAS_MAX,
        has_builders=True,
    )
