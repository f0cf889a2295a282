"""Worlds: chains of our own that contracts are put into and asked.

``ExactWorld`` is a node (anvil) and the only authority on gas; ``FastWorld`` runs in process and is
for outcome search and property tests. Both keep ``World``: whatever deploys itself is written once.
May import ``chain`` and ``model``; venues, desks, the pipeline and tests may import it.
"""

from tidegate.sim.artifacts import Artifact, Artifacts
from tidegate.sim.attached import AttachedWorld
from tidegate.sim.builds import Build, compile_contract
from tidegate.sim.errors import WorldReverted
from tidegate.sim.exact import ExactWorld
from tidegate.sim.fast import FastWorld
from tidegate.sim.fault_proxy import Fault, FaultProxy
from tidegate.sim.packages import anvil_binary
from tidegate.sim.paths import CONTRACTS, cache_dir, checkout_root
from tidegate.sim.pinned import PinnedWorld, PinnedWorlds
from tidegate.sim.relay_double import Manner, RelayDouble, build_block
from tidegate.sim.state import AccountState, WorldState, state_digest
from tidegate.sim.tape import NOT_ON_TAPE, Measured, Tape, TapeBlock, TapeRecorder, TapeWorld, TapeWorlds
from tidegate.sim.world import World

__all__ = [
    "CONTRACTS",
    "NOT_ON_TAPE",
    "AccountState",
    "Artifact",
    "Artifacts",
    "AttachedWorld",
    "Build",
    "ExactWorld",
    "FastWorld",
    "Fault",
    "FaultProxy",
    "Manner",
    "Measured",
    "PinnedWorld",
    "PinnedWorlds",
    "RelayDouble",
    "Tape",
    "TapeBlock",
    "TapeRecorder",
    "TapeWorld",
    "TapeWorlds",
    "World",
    "WorldReverted",
    "WorldState",
    "anvil_binary",
    "build_block",
    "cache_dir",
    "checkout_root",
    "compile_contract",
    "state_digest",
]
