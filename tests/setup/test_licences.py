"""No copyleft inside the package: what ships is ours, and what it needs may be used by everyone.

Inside is what a wheel of ours holds. Libraries are installed beside it from their own publishers; of
those, each has a permissive licence by its own metadata, or stands in ``BESIDE`` with the reason why it
may stay. The protocols' artifacts come from their own npm packages at set-up and are never shipped.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tidegate"
PERMISSIVE = re.compile(
    r"(?<![A-Za-z])(MIT(-0)?|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|CC0|CNRI|Public Domain)"
)
COPYLEFT = re.compile(
    r"(?<![A-Za-z])(A|L)?GPL|General Public|Mozilla|MPL-|EUPL|Business Source|BUSL|SSPL|CC-BY-SA"
)
BESIDE = {
    "psycopg": "LGPL-3.0-only: imported as it is, from its own package, for a ledger on PostgreSQL",
    "psycopg-binary": "LGPL-3.0-only: the same library, built by its publisher",
    "pyrevm": "its wheel names no licence, so we do not pass it on: tests and searches load it as installed",
}
"""What has no permissive licence by its own metadata, and why it may be installed beside us."""


def pinned() -> list[str]:
    lines = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8").splitlines()
    return sorted({match[1] for line in lines if (match := re.match(r"([A-Za-z0-9_.-]+)==", line))})


def licence_of(found: Distribution) -> str:
    """Return what a library's metadata says: the expression, else its classifiers and the first line."""
    said = found.metadata.get_all("License-Expression") or []
    classes = [one for one in found.metadata.get_all("Classifier") or [] if one.startswith("License ::")]
    text = (found.metadata.get_all("License") or [""])[0].strip().split("\n")[0]
    return " / ".join(said or [*classes, *([text] if text else [])])


def is_permissive(licence: str) -> bool:
    return bool(PERMISSIVE.search(licence)) and not COPYLEFT.search(licence)


@pytest.mark.parametrize("name", pinned())
def test_every_library_that_runs_has_a_permissive_licence_or_a_reason(name: str) -> None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        marked = re.search(
            rf"^{re.escape(name)}==[^\n;]*;", (ROOT / "requirements" / "runtime.txt").read_text(), re.M
        )
        assert marked, f"{name} is pinned for this platform and not installed"
        return
    assert is_permissive(licence_of(found)) != (name in BESIDE), (
        f"{name}: {licence_of(found) or 'no licence'}"
    )


def test_every_reason_is_of_a_library_that_is_pinned() -> None:
    assert set(BESIDE) <= set(pinned())


@pytest.mark.parametrize(
    ("licence", "passes"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND Zlib", True),
        ("License :: OSI Approved :: Apache Software License", True),
        ("LGPL-3.0-only", False),
        ("MIT AND GPL-2.0-or-later", False),
        ("GNU Affero General Public License v3", False),
        ("BUSL-1.1", False),
        ("Submitted", False),
        ("", False),
    ],
)
def test_copyleft_and_silence_are_told_from_permission(licence: str, passes: bool) -> None:
    assert is_permissive(licence) is passes


def shipped() -> list[Path]:
    return [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_no_file_that_ships_is_under_another_licence() -> None:
    named = {
        str(path.relative_to(PACKAGE)): licence[1]
        for path in shipped()
        if (licence := re.search(r"SPDX-License-Identifier:\s*(\S+)", path.read_text(encoding="utf-8")))
    }
    assert set(named.values()) <= {"Apache-2.0"}, named
    assert [str(path) for path in shipped() if COPYLEFT.search(path.read_text(encoding="utf-8"))] == []


def test_nothing_that_ships_is_compiled_by_others() -> None:
    known = {".py", ".vy", ".yaml", ".toml", ".json", ".css", ".typed"}
    assert {path.suffix or f".{path.name.rpartition('.')[2]}" for path in shipped()} <= known
