"""The checks before a signature, in the order of ``specs/street.md`` 5.1. All must hold.

Each looks at one thing and raises ``Denied`` with its own reason, what was found and the limit.
"""

from __future__ import annotations

from collections.abc import Callable

from tidegate.custody.asking import Ask
from tidegate.custody.checks.contents import nonce_free, policies_hold, typed_data_listed
from tidegate.custody.checks.limits import at_risk_within, count_within, gas_within, notional_within
from tidegate.custody.checks.scope import (
    capability_in_force,
    code_unchanged,
    not_frozen,
    plan_unchanged,
    scope_matches,
    target_listed,
)

CHECKS: tuple[tuple[str, Callable[[Ask], None]], ...] = (
    ("freeze", not_frozen),
    ("capability", capability_in_force),
    ("scope", scope_matches),
    ("plan", plan_unchanged),
    ("target", target_listed),
    ("code", code_unchanged),
    ("notional", notional_within),
    ("at_risk", at_risk_within),
    ("count", count_within),
    ("gas", gas_within),
    ("nonce", nonce_free),
    ("typed_data", typed_data_listed),
    ("policies", policies_hold),
)
"""Every check with the name that denials and metrics show, in order."""

__all__ = ["CHECKS"]
