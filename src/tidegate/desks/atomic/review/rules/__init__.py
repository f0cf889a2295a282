"""The rules of the linter, by what they look at: names and types, safety, limits.

A rule is a function from a scene to findings. It is stated once, here; the compiler refuses the same
things again where they would change bytes.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.review.rules import (
    lending,
    limits,
    loans,
    names,
    optional,
    raw,
    references,
    swaps,
    types,
)

Rule: TypeAlias = Callable[[Scene], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    names.actions_exist,
    names.guards_are_sound,
    names.lenders_exist,
    names.tokens_are_declared,
    names.recipients_are_ours,
    types.inputs_fit,
    types.amounts_fit,
    types.guard_blinds_fit,
    types.sums_agree,
    types.search_has_a_measure,
    references.outputs_exist,
    swaps.swaps_have_a_slippage_rule,
    swaps.slippage_is_sane,
    swaps.price_guards_stand_on_chain,
    swaps.outputs_are_piped,
    lending.lending_is_guarded,
    loans.loans_are_bounded,
    loans.loans_come_back,
    loans.flash_pools_are_not_swapped,
    optional.skips_stand_in_optional_groups,
    optional.optional_outputs_stay_inside,
    optional.placements_fit,
    limits.amounts_are_not_zero,
    limits.steps_are_few,
    raw.raw_calls_are_whole,
    raw.nothing_is_opaque,
)

__all__ = ["RULES", "Rule"]
