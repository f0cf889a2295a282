"""Where the house keeps what it can make again, and where its checkout lies."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

CONTRACTS = _PACKAGE / "contracts"
"""Our Vyper sources."""


def checkout_root() -> Path | None:
    """Return the root of the checkout that this package runs from, or none if it is installed."""
    root = _PACKAGE.parents[1]
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return None
    return root if project.get("project", {}).get("name") == "tidegate" else None


def cache_dir() -> Path:
    """Return the directory of caches, which may be deleted at any time.

    ``$TIDEGATE_CACHE`` if set; else ``.cache/tidegate`` in the checkout; else the user's cache
    directory by the XDG rules. It is created when something is written.
    """
    if chosen := os.environ.get("TIDEGATE_CACHE"):
        return Path(chosen)
    if (root := checkout_root()) is not None:
        return root / ".cache" / "tidegate"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate"
