"""The street: the one way from an intent to the chain, the same in every stage.

Knows no desk and no protocol: a desk stands behind ``Desk``, a chain behind ``ChainPort``, a
key behind ``model.TransactionSigner``. Called by ``app/`` alone. Invariants: a step's record is
written before the next step starts; an intent ends in exactly one outcome; once signed bytes
exist only the chain decides it, and no second version is ever signed.
"""

from tidegate.pipeline.chain import ChainPort, Rehearsal
from tidegate.pipeline.compare import Difference, journal_differences
from tidegate.pipeline.desk import Desk, PlanReader
from tidegate.pipeline.halts import HaltBook
from tidegate.pipeline.judgement import Judge
from tidegate.pipeline.node import NodeChain
from tidegate.pipeline.ports import BreakersPort, Permission, Refusing, StopsPort
from tidegate.pipeline.recover import drop_orphans, recover
from tidegate.pipeline.run import Run, read_run
from tidegate.pipeline.settings import StreetSettings
from tidegate.pipeline.settle import book, value_usd_e6
from tidegate.pipeline.stages import MAY_DIFFER, STAGES, THROW_AWAY, StageRules, rules_of
from tidegate.pipeline.street import Street
from tidegate.pipeline.unsent import Fate

__all__ = [
    "MAY_DIFFER",
    "STAGES",
    "THROW_AWAY",
    "BreakersPort",
    "ChainPort",
    "Desk",
    "Difference",
    "Fate",
    "HaltBook",
    "Judge",
    "NodeChain",
    "Permission",
    "PlanReader",
    "Refusing",
    "Rehearsal",
    "Run",
    "StageRules",
    "StopsPort",
    "Street",
    "StreetSettings",
    "book",
    "drop_orphans",
    "journal_differences",
    "read_run",
    "recover",
    "rules_of",
    "value_usd_e6",
]
