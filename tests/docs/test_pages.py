"""The documentation is true: generated pages equal the code, links lead somewhere, commands run.

A ``console`` block is typed as it stands, line by line, in an empty folder of its own. A line's
expected exit code is 0 unless a comment says otherwise: ``$ tidegate journal verify  # exit 13``.
Commands of one page share a folder and run in order.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def commands(page: Path) -> list[tuple[str, int]]:
    found = []
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                command, _, note = line[2:].partition("  # exit ")
                found.append((command.strip(), int(note or 0)))
    return found


def with_commands() -> list[Path]:
    return [page for page in PAGES if commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in targets if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", with_commands(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("TIDEGATE_HOME", None)
    for command, expected in commands(page):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        shown = f"$ {command}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expected, shown
        assert "Traceback" not in done.stderr, shown


def test_generated_pages_equal_the_code() -> None:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    for name, page in generator.PAGES.items():
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == generator.NOTICE + page(), f"{name} is behind the code: make docs"


def test_every_room_is_two_clicks_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = (ROOT / "docs" / "explanation" / "rooms.md").read_text(encoding="utf-8")
    assert "docs/explanation/rooms.md" in readme
    folders = [path.parent.name for path in (ROOT / "src" / "tidegate").glob("*/__init__.py")]
    assert [room for room in folders if f"src/tidegate/{room}" not in rooms] == []
