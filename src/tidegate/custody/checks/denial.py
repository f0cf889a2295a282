"""How a check says no."""

from __future__ import annotations

from typing import NoReturn

from tidegate.model import Denied, Reason


def deny(reason: Reason, message: str, found: str, allowed: str, fix: str | None = None) -> NoReturn:
    """Raise ``Denied`` with what was found and the limit."""
    raise Denied(reason, message, found=found, allowed=allowed, fix=fix)
