"""The npm packages of the set-up: where they lie, and whether they are the pinned ones."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from tidegate.model import ConfigError, Unavailable
from tidegate.sim.paths import checkout_root

WHAT_STILL_WORKS = (
    "without it there is no devnet, demo, paper or fork; strategy files, journals and the fast world work"
)


def node_modules() -> Path | None:
    """Return where npm put the packages: ``$TIDEGATE_NODE_MODULES``, the checkout, or above the cwd."""
    if chosen := os.environ.get("TIDEGATE_NODE_MODULES"):
        return Path(chosen) if Path(chosen).is_dir() else None
    roots = [root for root in (checkout_root(),) if root is not None]
    for root in (*roots, Path.cwd(), *Path.cwd().parents):
        if (root / "node_modules" / ".package-lock.json").is_file():
            return root / "node_modules"
    return None


def lock_file() -> Path | None:
    """Return the ``package-lock.json`` that pins the packages, or none."""
    modules = node_modules()
    candidates = (
        [] if modules is None else [modules.parent / "package-lock.json", modules / ".package-lock.json"]
    )
    root = checkout_root()
    if root is not None:
        candidates.append(root / "package-lock.json")
    return next((path for path in candidates if path.is_file()), None)


def package_folder(package: str) -> Path:
    """Return the folder of an installed package whose version is the pinned one.

    Raises
    ------
    Unavailable
        If the packages are not installed; says what still works.
    ConfigError
        If another version is installed than ``package-lock.json`` names.
    """
    modules, lock = node_modules(), lock_file()
    folder = None if modules is None else modules / package
    if folder is None or lock is None or not (folder / "package.json").is_file():
        raise Unavailable(
            f"the npm package {package} is not installed",
            code="npm_missing",
            found=f"node_modules: {modules or 'none'}",
            allowed=WHAT_STILL_WORKS,
            fix="install Node 20 or newer and run `npm ci` in the checkout (`make demo` does it)",
        )
    installed = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    pinned = json.loads(lock.read_text(encoding="utf-8"))["packages"].get(f"node_modules/{package}", {})
    if pinned.get("version") != installed:
        raise ConfigError(
            f"the npm package {package} is not the pinned one",
            code="npm_version",
            found=str(installed),
            allowed=f"{pinned.get('version')} ({lock})",
            fix="run `npm ci` in the checkout",
        )
    return folder


def anvil_binary() -> Path:
    """Return the node's program: ``$TIDEGATE_ANVIL``, or the one of the pinned npm package.

    Raises
    ------
    Unavailable
        If there is none for this machine; says what still works.
    """
    if chosen := os.environ.get("TIDEGATE_ANVIL"):
        binary = Path(chosen)
    else:
        machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(platform.machine())
        system = platform.system().lower()
        name = f"@foundry-rs/anvil-{system}-{machine or platform.machine()}"
        binary = package_folder(name) / "bin" / "anvil"
    if not os.access(binary, os.X_OK):
        raise Unavailable(
            "the node (anvil) can not be started",
            code="anvil_missing",
            found=f"{binary} is no program",
            allowed=WHAT_STILL_WORKS,
            fix="run `npm ci` in the checkout, or set TIDEGATE_ANVIL to an anvil program",
        )
    return binary
