"""The nouns: what every room talks about. No I/O; imports nothing of ours.

Any room may import from here. Names are the glossary of ``docs/reference/glossary.md``:
one word, one meaning.
"""

from tidegate.model.clock import Clock, ManualClock, SystemClock
from tidegate.model.digest import canonical_json, digest, sha256_hex
from tidegate.model.errors import (
    Ambiguous,
    ConfigError,
    Denied,
    Divergence,
    Halted,
    Rejected,
    SourcePosition,
    Tampered,
    TidegateError,
    Unavailable,
)
from tidegate.model.evm import (
    UINT256_MAX,
    ZERO_ADDRESS,
    Address,
    Block,
    Log,
    Receipt,
    Revert,
    SignedTransaction,
    UnsignedTransaction,
)
from tidegate.model.metrics import Metric, MetricKind, NullRecorder, Recorder
from tidegate.model.ports import SIGNER_UNREACHED, TransactionSigner
from tidegate.model.reasons import Reason
from tidegate.model.records import DURABLE_KINDS, RecordKind
from tidegate.model.street import (
    Bound,
    Exposure,
    GuardResult,
    Intent,
    Operation,
    Outcome,
    OutcomeKind,
    Placement,
    Plan,
    Probe,
    Simulation,
    Stage,
    Step,
)
from tidegate.model.units import (
    BPS,
    format_units,
    format_usd,
    maximum_in,
    minimum_out,
    mul_div_down,
    mul_div_up,
)

__all__ = [
    "BPS",
    "DURABLE_KINDS",
    "SIGNER_UNREACHED",
    "UINT256_MAX",
    "ZERO_ADDRESS",
    "Address",
    "Ambiguous",
    "Block",
    "Bound",
    "Clock",
    "ConfigError",
    "Denied",
    "Divergence",
    "Exposure",
    "GuardResult",
    "Halted",
    "Intent",
    "Log",
    "ManualClock",
    "Metric",
    "MetricKind",
    "NullRecorder",
    "Operation",
    "Outcome",
    "OutcomeKind",
    "Placement",
    "Plan",
    "Probe",
    "Reason",
    "Receipt",
    "RecordKind",
    "Recorder",
    "Rejected",
    "Revert",
    "SignedTransaction",
    "Simulation",
    "SourcePosition",
    "Stage",
    "Step",
    "SystemClock",
    "Tampered",
    "TidegateError",
    "TransactionSigner",
    "Unavailable",
    "UnsignedTransaction",
    "canonical_json",
    "digest",
    "format_units",
    "format_usd",
    "maximum_in",
    "minimum_out",
    "mul_div_down",
    "mul_div_up",
    "sha256_hex",
]
