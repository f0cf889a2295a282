"""The signer's policies: each one pure file that decodes, values and says what is an exit.

A new policy is one module of this package with a ``POLICY``. Only modules of this package count:
what is merely installed on the machine can not teach the signer to sign.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from tidegate.custody.content import Content, Judgement, Prices
from tidegate.custody.policies.interface import Policy
from tidegate.model import Denied, Reason

BoundPolicy: TypeAlias = Callable[[Content, Prices, int], Judgement | None]
"""A policy with its terms: (content, prices, now in seconds) to a judgement, None if not its matter."""


def bind_policy(name: str, terms: dict[str, Any]) -> BoundPolicy:
    """Return the policy of this name bound to ``terms``.

    Raises
    ------
    Denied
        ``policy_unknown`` if this signer has no such policy; ``capability_invalid`` if the terms are
        not such as the policy reads.
    """
    known = policies()
    if name not in known:
        raise Denied(
            Reason.POLICY_UNKNOWN,
            f"this signer has no policy {name!r}",
            found=name,
            allowed=", ".join(sorted(known)),
            fix="run a release of the signer that has it, or ask for a capability without it",
        )
    return known[name].bind(terms)


@cache
def policies() -> dict[str, Policy]:
    """Return every policy of this release by name."""
    found = (importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__))
    listed: list[Policy] = [module.POLICY for module in found if hasattr(module, "POLICY")]
    return {policy.name: policy for policy in listed}


__all__ = ["BoundPolicy", "Policy", "bind_policy", "policies"]
