"""What ``tidegate.toml`` may say. A quantity's unit stands in its key; every key has a default but few.

``docs/reference/configuration.md`` is generated from here.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tidegate.app.config.secrets import Url
from tidegate.chain import NetworkKind
from tidegate.chain.relays import Supports
from tidegate.chain.rpc import Feature, Tier
from tidegate.model import Stage

Positive = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Blocks = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Hour = Annotated[int, msgspec.Meta(ge=0, le=24)]
Dollars = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


class EndpointConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON-RPC endpoint of a chain."""

    name: Annotated[Name, "how errors, metrics and logs call it"]
    url: Annotated[Url, "where it is: a reference, or a URL of this machine"]
    ws: Annotated[Url | None, "its WebSocket, for hints of new blocks"] = None
    operator: Annotated[str, "who runs it; a quorum needs different operators"] = ""
    trusted: Annotated[bool, "whether it is a node of your own"] = False
    tier: Annotated[Tier, "primary, backup or private"] = Tier.PRIMARY
    weight: Annotated[Positive, "its share of the reads among those of its tier"] = 1
    features: Annotated[tuple[Feature, ...], "what it can do beside: archive, trace, bundle, private"] = ()
    rate_per_s: Annotated[Positive | None, "requests a second; none is no limit"] = None
    burst: Annotated[Positive, "requests that may come at once"] = 100
    batch_max: Annotated[Positive, "calls in one batch; 1 is no batches"] = 50
    logs_span_max_blocks: Annotated[Positive, "blocks in one eth_getLogs"] = 2_000
    timeout_ms: Annotated[Positive, "how long a read may take"] = 2_000
    send_timeout_ms: Annotated[Positive, "how long a send may take"] = 5_000


class RelayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One relay that takes bundles (``eth_sendBundle``, requests signed by the home's relay key)."""

    name: Annotated[Name, "how strategy files (builders), records and errors call it"]
    url: Annotated[Url, "where it is: a reference, or a URL of this machine"]
    supports: Annotated[tuple[Supports, ...], "what it can do beside: cancel, simulate"] = (Supports.CANCEL,)
    builders: Annotated[tuple[str, ...], "builders it passes bundles on to; none named is its choice"] = ()
    timeout_ms: Annotated[Positive, "how long a request may take"] = 2_000


class ChainConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One chain. What is left out comes from the network registry."""

    chain_id: Annotated[Positive, "what eth_chainId must answer"]
    kind: Annotated[
        NetworkKind | None, "devnet, testnet or mainnet; only for ids that no public network has"
    ] = None
    block_time_s: Annotated[Annotated[float, msgspec.Meta(gt=0)] | None, "seconds from block to block"] = None
    confirmations: Annotated[Positive | None, "blocks until a receipt counts as settled"] = None
    fee_cap_wei: Annotated[Positive | None, "the most ever paid per gas"] = None
    priority_cap_wei: Annotated[Count | None, "the most ever tipped per gas"] = None
    clock_skew_max_s: Annotated[Positive | None, "chain time against this machine's"] = None
    gas_per_day_wei: Annotated[Positive | None, "the most spent for gas on this chain in a day"] = None
    book: Annotated[str, "the address book's file, relative to this one; a running devnet has its own"] = ""
    endpoints: Annotated[tuple[EndpointConfig, ...], "JSON-RPC endpoints, best from different operators"] = ()
    relays: Annotated[tuple[RelayConfig, ...], "who takes bundles; on ethereum, sepolia and devnets"] = ()


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What ``tidegate run`` does when nothing else is said."""

    stage: Annotated[Stage, "backtest, paper, fork, shadow, canary or production"] = Stage.PAPER
    desk: Annotated[Name, "which desk runs"] = "atomic"
    chain: Annotated[Name, "which chain of [chains]; paper and fork of a devnet start their own"] = "devnet"
    reconcile_every_blocks: Annotated[Positive, "blocks between two looks at our books"] = 50


class LedgerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the journal is."""

    url: Annotated[str, "sqlite (in the home), or a reference to a postgresql+psycopg URL"] = "sqlite"


class PaperConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The world that paper starts."""

    seed: Annotated[Count, "seed of the market simulator: the same seed, the same market"] = 7
    warm_up_blocks: Annotated[Blocks, "blocks that the market moves before the desk begins"] = 24
    inclusion_delay_blocks: Annotated[Blocks, "blocks that a transaction waits until it is included"] = 0
    competition: Annotated[bool, "whether others trade, and the best payer comes first"] = True
    failure_share: Annotated[Share, "share of sends that the node loses"] = 0.0


class SignerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the worker reaches the signer process, in canary and production."""

    socket: Annotated[str, "its Unix socket; empty is <home>/signer/signer.sock"] = ""
    key: Annotated[Name, "the name of the key that signs"] = "operator"


class PenaltyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What caution adds to the cost of each kind of lenders when the cheapest is chosen."""

    aave_v3: Annotated[Dollars, "dollars added to the cost of a loan from Aave v3"] = 0
    erc3156: Annotated[Dollars, "dollars added to the cost of a loan by ERC-3156"] = 0
    uniswap_v3: Annotated[Dollars, "dollars added to the cost of a loan from a Uniswap v3 pool"] = 0
    morpho_blue: Annotated[Dollars, "dollars added to the cost of a loan from Morpho Blue"] = 0
    balancer_v2: Annotated[Dollars, "dollars added to the cost of a loan from Balancer v2"] = 25


class AtomicConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The atomic desk."""

    strategies: Annotated[tuple[str, ...], "strategy files, relative to this file"] = ()
    blinds: Annotated[dict[str, str], "the file with the blinds of a strategy, by its name"] = {}
    capital_usd: Annotated[Dollars, "what is allotted: exposure and loss limits are shares of it"] = 10_000
    penalty_usd: Annotated[PenaltyConfig, "caution, by kind of lender"] = PenaltyConfig()
    usual_from_hour: Annotated[Hour, "hour of the day (UTC) from which runs are usual"] = 0
    usual_to_hour: Annotated[Hour, "hour at which they end to be; a run outside is an alert's input"] = 24


class DesksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A table for each desk."""

    atomic: Annotated[AtomicConfig, "the atomic desk"] = AtomicConfig()


class LimitsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the street. What is left out has its stage's default."""

    notional_per_transaction_usd: Annotated[Dollars | None, "dollars that one transaction moves"] = None
    notional_per_hour_usd: Annotated[Dollars | None, "dollars moved in an hour"] = None
    notional_per_day_usd: Annotated[Dollars | None, "dollars moved in a day"] = None
    open_intents: Annotated[Positive | None, "intents on their way at once"] = None
    open_transactions: Annotated[Positive | None, "transactions on their way at once"] = None
    orders_per_minute: Annotated[Positive | None, "intents accepted in a minute"] = None
    loss_per_day_bps: Annotated[Count | None, "most lost of the capital, realised and marked"] = None
    loss_per_week_bps: Annotated[Count | None, "most lost of the capital, realised and marked"] = None
    failed_share_bps: Annotated[Count | None, "attempts that may fail or revert, from 20 attempts on"] = None
    consecutive_failures: Annotated[Positive | None, "failures in a row that stop what is new"] = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``tidegate.toml``."""

    run: Annotated[RunConfig, "what runs"] = RunConfig()
    ledger: Annotated[LedgerConfig, "where the journal is"] = LedgerConfig()
    paper: Annotated[PaperConfig, "the world of paper"] = PaperConfig()
    signer: Annotated[SignerConfig, "the signer process"] = SignerConfig()
    limits: Annotated[LimitsConfig, "limits of the street"] = LimitsConfig()
    chains: Annotated[dict[str, ChainConfig], "chains by a name of yours"] = {}
    desk: Annotated[DesksConfig, "the desks"] = DesksConfig()
