"""What a street works with: given once, and the same for every intent that walks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.chain import Network, Sender
from tidegate.ledger import Journal
from tidegate.model import Address, Intent, Recorder
from tidegate.pipeline.chain import ChainPort
from tidegate.pipeline.desk import Desk
from tidegate.pipeline.halts import HaltBook
from tidegate.pipeline.ports import Permission
from tidegate.pipeline.settings import StreetSettings
from tidegate.pipeline.stages import StageRules
from tidegate.pipeline.steps import Steps
from tidegate.pipeline.unsent import Fate
from tidegate.risk import LimitBook, RunLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Whom the steps of a street ask, where they write, and what they may do.

    ``sender`` is None in a stage that signs nothing, ``fate`` in all others; ``permission`` asks every stop,
    breaker and halt.
    """

    rules: StageRules
    settings: StreetSettings
    desk: Desk
    chain: ChainPort
    network: Network | None
    account: Address
    sender: Sender | None
    fate: Fate | None
    journal: Journal
    limits: Mapping[str, RunLimits]
    book: LimitBook
    halts: HaltBook
    permission: Permission
    recorder: Recorder
    steps: Steps

    @property
    def chain_label(self) -> str:
        """Return how metrics call the chain."""
        return "" if self.network is None else str(self.network.chain_id)

    def limits_of(self, intent: Intent) -> RunLimits:
        """Return what the intent's subject may do; one that has no entry has the defaults."""
        return self.limits.get(intent.subject, RunLimits())
