"""The names of the metrics, and the protocol by which a room records them.

``app/runtime`` fills ``Recorder``. Labels are bounded sets, never free text: an endpoint is its
configured name, a reason its stable code. ``docs/reference/metrics.md`` is generated from here.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Protocol


class MetricKind(StrEnum):
    """How a metric behaves: it only grows, it stands at a level, or it is a distribution."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(Enum):
    """Every metric of the street: name, kind, labels, and one line for people."""

    def __init__(self, metric_name: str, kind: MetricKind, labels: tuple[str, ...], meaning: str) -> None:
        self.metric_name = metric_name
        self.kind = kind
        self.labels = labels
        self.meaning = meaning

    RPC_REQUESTS = (
        "tidegate_rpc_requests_total",
        MetricKind.COUNTER,
        ("chain", "endpoint", "method", "result"),
        "Requests to an endpoint, by what came of them.",
    )
    RPC_SECONDS = (
        "tidegate_rpc_seconds",
        MetricKind.HISTOGRAM,
        ("chain", "endpoint"),
        "How long an endpoint took to answer.",
    )
    RPC_ENDPOINT_STATE = (
        "tidegate_rpc_endpoint_state",
        MetricKind.GAUGE,
        ("chain", "endpoint"),
        "0 healthy, 1 degraded, 2 cooling, 3 quarantined.",
    )
    HEAD_LAG_BLOCKS = (
        "tidegate_head_lag_blocks",
        MetricKind.GAUGE,
        ("chain", "endpoint"),
        "How far an endpoint's head lies behind the pool's.",
    )
    BLOCK_GAP = ("tidegate_block_gap", MetricKind.GAUGE, ("chain",), "Blocks between cursor and head.")
    REORG_DEPTH = ("tidegate_reorg_depth", MetricKind.GAUGE, ("chain",), "Depth of the newest reorg.")
    INTENTS = (
        "tidegate_intents_total",
        MetricKind.COUNTER,
        ("desk", "chain", "stage", "outcome", "reason"),
        "Intents that ended, by outcome.",
    )
    STEP_SECONDS = (
        "tidegate_step_seconds",
        MetricKind.HISTOGRAM,
        ("step",),
        "How long a step of the street took.",
    )
    OPEN_TRANSACTIONS = (
        "tidegate_open_transactions",
        MetricKind.GAUGE,
        ("desk", "chain"),
        "Transactions whose outcome the chain still owes.",
    )
    NONCE_GAP = (
        "tidegate_nonce_gap",
        MetricKind.GAUGE,
        ("chain", "key"),
        "Nonces below an open transaction that nothing fills.",
    )
    REPLACEMENTS = (
        "tidegate_replacements_total",
        MetricKind.COUNTER,
        ("chain",),
        "Transactions signed anew with higher fees, and cancels.",
    )
    GAS_SPENT_WEI = (
        "tidegate_gas_spent_wei_total",
        MetricKind.COUNTER,
        ("desk", "chain"),
        "Gas used times the price paid.",
    )
    SIGNER_REQUESTS = (
        "tidegate_signer_requests_total",
        MetricKind.COUNTER,
        ("result", "check"),
        "Answers of the signer, by the check that decided.",
    )
    SIGNER_FROZEN = ("tidegate_signer_frozen", MetricKind.GAUGE, (), "1 while the signer is frozen.")
    CAPABILITY_EXPIRES_S = (
        "tidegate_capability_expires_s",
        MetricKind.GAUGE,
        ("desk", "chain", "purpose"),
        "Seconds until the loaded capability expires.",
    )
    LIMIT_USED_RATIO = (
        "tidegate_limit_used_ratio",
        MetricKind.GAUGE,
        ("limit", "scope"),
        "How much of a limit is used, 1 is all.",
    )
    BREAKER_LEVEL = (
        "tidegate_breaker_level",
        MetricKind.GAUGE,
        ("breaker", "scope"),
        "The level a breaker stands at, 0 is clear.",
    )
    BREAKER_HEARTBEAT_AGE_S = (
        "tidegate_breaker_heartbeat_age_s",
        MetricKind.GAUGE,
        ("breaker", "scope"),
        "Seconds since a breaker was last evaluated.",
    )
    STOPS = ("tidegate_stops", MetricKind.GAUGE, ("scope",), "Stops in force.")
    JOURNAL_SEQ = ("tidegate_journal_seq", MetricKind.GAUGE, (), "The newest record's number.")
    JOURNAL_COMMIT_SECONDS = (
        "tidegate_journal_commit_seconds",
        MetricKind.HISTOGRAM,
        (),
        "How long a commit of the journal took.",
    )
    RECONCILE_DIFFERENCE = (
        "tidegate_reconcile_difference",
        MetricKind.GAUGE,
        ("desk", "chain"),
        "Accounts and tokens whose balance differs from the books.",
    )
    EXECUTOR_POLICY_ENTRIES = (
        "tidegate_atomic_policy_entries",
        MetricKind.GAUGE,
        ("chain", "executor"),
        "Entries in force on an executor, roles among them.",
    )
    EXECUTOR_SCHEDULED = (
        "tidegate_atomic_scheduled_changes",
        MetricKind.GAUGE,
        ("chain", "executor", "announced"),
        "Changes that wait on an executor, by whether a plan file announced them.",
    )
    EXECUTOR_PAUSED = (
        "tidegate_atomic_paused",
        MetricKind.GAUGE,
        ("chain", "executor"),
        "1 while an executor is paused.",
    )
    EXECUTOR_ADMINISTRATION = (
        "tidegate_atomic_administration_total",
        MetricKind.COUNTER,
        ("chain", "executor", "what", "announced"),
        "Events by which an executor's administration changed; unannounced ones are alerts.",
    )
    ATOMIC_RUNS = (
        "tidegate_atomic_runs_total",
        MetricKind.COUNTER,
        ("strategy", "chain", "executor", "outcome"),
        "Runs of a strategy that ended, by outcome.",
    )
    ATOMIC_DENIED = (
        "tidegate_atomic_denied_total",
        MetricKind.COUNTER,
        ("strategy", "chain", "executor", "reason"),
        "Runs that were denied, by reason.",
    )
    ATOMIC_FAILURE_RATIO = (
        "tidegate_atomic_failure_ratio",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "Reverted of all included, the last 100 of the last 24 h.",
    )
    ATOMIC_SUCCESS_RATIO = (
        "tidegate_atomic_success_ratio",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "Landed of all included, the last 100 of the last 24 h.",
    )
    ATOMIC_INCLUSION_RATIO = (
        "tidegate_atomic_inclusion_ratio",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "Included of all sent, the last 100 of the last 24 h.",
    )
    ATOMIC_GUARD_RESULTS = (
        "tidegate_atomic_guard_results_total",
        MetricKind.COUNTER,
        ("strategy", "chain", "executor", "guard", "place", "passed"),
        "Verdicts of guards by placement; inside, by what the chain compared.",
    )
    ATOMIC_GAS_USED = (
        "tidegate_atomic_gas_used",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "Gas of the newest run that was included.",
    )
    ATOMIC_GAS_CEILING_RATIO = (
        "tidegate_atomic_gas_ceiling_ratio",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "Gas limit of the newest plan over what a transaction may have; above 0.8 is an alert.",
    )
    ATOMIC_GAS_PER_STEP = (
        "tidegate_atomic_gas_per_step",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor", "step"),
        "Gas of a step in the newest simulation.",
    )
    ATOMIC_PROFIT_USD = (
        "tidegate_atomic_profit_usd",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "What the newest run earned after gas, at its plan's prices.",
    )
    ATOMIC_SLIPPAGE_BPS = (
        "tidegate_atomic_slippage_bps",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "How much worse than quoted the worst swap of the newest run was; 0 if none was.",
    )
    ATOMIC_BOUND_MARGIN_BPS = (
        "tidegate_atomic_bound_margin_bps",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "How far the tightest bound of the newest simulation is from failing.",
    )
    ATOMIC_FEED_AGE_S = (
        "tidegate_atomic_feed_age_s",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor", "feed"),
        "Seconds since a price feed of the strategy's tokens answered anew.",
    )
    ATOMIC_PRICE_GAP_BPS = (
        "tidegate_atomic_price_gap_bps",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor", "pair"),
        "How far the worst swap of a pair was from the feeds, by its newest guard.",
    )
    ATOMIC_HEALTH_FACTOR = (
        "tidegate_atomic_health_factor",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor", "protocol"),
        "Health factor of the executor; infinite without debt.",
    )
    ATOMIC_EXECUTOR_BALANCE = (
        "tidegate_atomic_executor_balance",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor", "token"),
        "What the executor holds of a token, in whole tokens.",
    )
    ATOMIC_LENDER_LIQUIDITY = (
        "tidegate_atomic_lender_liquidity",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor", "lender", "asset"),
        "What a lender has of an asset, in whole tokens.",
    )
    ATOMIC_LENDER_SHARE_RATIO = (
        "tidegate_atomic_lender_share_ratio",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "The largest share of one lender in the loans of seven days, by dollars.",
    )
    ATOMIC_PLAN_SECONDS = (
        "tidegate_atomic_plan_seconds",
        MetricKind.HISTOGRAM,
        ("strategy", "chain", "executor"),
        "From the reservation to the recorded plan.",
    )
    ATOMIC_SIM_SECONDS = (
        "tidegate_atomic_sim_seconds",
        MetricKind.HISTOGRAM,
        ("strategy", "chain", "executor"),
        "From the verdicts of the guards to the recorded simulation.",
    )
    ATOMIC_UPTIME_RATIO = (
        "tidegate_atomic_uptime_ratio",
        MetricKind.GAUGE,
        ("strategy", "chain", "executor"),
        "Looks at which the strategy could decide, of all since the start.",
    )


class Recorder(Protocol):
    """Records metrics. Labels are given by name, all of them, each time."""

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        ...

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge."""
        ...

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Add one value to a distribution."""
        ...


class NullRecorder:
    """Records nothing: for tools and tests that do not measure."""

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Do nothing."""

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Do nothing."""

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Do nothing."""
