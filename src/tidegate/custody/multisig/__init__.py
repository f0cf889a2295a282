"""Safes (1.4.1): accounts that several people hold together, and what we sign with them.

A proposal is built, judged against the Safe's state on chain, simulated on a fork, signed by k of m
owners wherever their keys are, executed and followed: proposed → signed(k of m) → executed. Nothing that
a file says is believed: hashes are computed and signatures recovered. Called by ``app/`` alone.
"""

from tidegate.custody.multisig.builder import export_batch, import_batch
from tidegate.custody.multisig.judge import Target, judge_proposal
from tidegate.custody.multisig.packs import executor_packs, pack_transaction
from tidegate.custody.multisig.proposal import Proposal, read_proposal, write_proposal
from tidegate.custody.multisig.simulate import SafeSimulation, simulate_proposal
from tidegate.custody.multisig.state import (
    SafeFinding,
    SafeReads,
    SafeRules,
    SafeState,
    find_execution,
    judge_safe,
    read_safe,
)

__all__ = [
    "Proposal",
    "SafeFinding",
    "SafeReads",
    "SafeRules",
    "SafeSimulation",
    "SafeState",
    "Target",
    "executor_packs",
    "export_batch",
    "find_execution",
    "import_batch",
    "judge_proposal",
    "judge_safe",
    "pack_transaction",
    "read_proposal",
    "read_safe",
    "simulate_proposal",
    "write_proposal",
]
