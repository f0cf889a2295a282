"""A contract whose code is not the one that a person looked at is not called."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.chain import keccak256
from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.facts import CodeOf
from tidegate.risk.guards.interface import GuardContext, Parameter, verdict
from tidegate.risk.guards.onchain import OnChainCheck


class CodeHash:
    """Whatever the plan calls or asks has the code whose hash the address book records.

    Every strategy has it by itself. An address without a recorded hash has nothing to be compared with:
    production refuses those by name, and ``tidegate verify addresses`` records them.
    """

    name = "code_hash"
    placements = frozenset({Placement.PRE})
    parameters: Mapping[str, Parameter] = {}

    def reads(self, context: GuardContext) -> tuple[CodeOf, ...]:
        """Return the code of every account of the plan that the book has a hash of."""
        recorded = _recorded(context)
        return tuple(CodeOf(target) for target in dict.fromkeys(context.targets) if target in recorded)

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the head."""
        recorded, questions = _recorded(context), self.reads(context)
        changed = [
            question.account
            for question in questions
            if keccak256(context.answers[question]).hex() != recorded[question.account]
        ]
        return verdict(
            self.name,
            Placement.PRE,
            passed=not changed,
            code="code_changed",
            measured=len(questions) - len(changed),
            bound=len(questions),
            unit="contracts",
            at_block=context.block.number,
            note=", ".join(context.book.name_of(account) for account in changed),
        )

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the executor has no look at code but that there is some."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Refuse: what is asked is whether to call at all."""
        raise NotImplementedError(f"{self.name} does not stand after inclusion")


def _recorded(context: GuardContext) -> dict[str, str]:
    """Return the hash in hex by address, of every claim of the book that has one."""
    return {
        claim.address: claim.code_hash.lower().removeprefix("0x")
        for claim in context.book.claims()
        if claim.is_verified
    }
