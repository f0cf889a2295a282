"""The set-up says what is missing, what to do and what still works; a second run does nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("scripts", "requirements", "pyproject.toml", "package.json", "package-lock.json")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what set-up looks at, with the virtual environment in place and no npm packages."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(ROOT / ".venv" / "bin" / "python")
    stamp = tmp_path / ".venv" / ".tidegate-installed"
    locks = "requirements/runtime.txt requirements/dev.txt pyproject.toml"
    done = subprocess.run(
        ["bash", "-c", f"cat {locks} | cksum"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    stamp.write_text(done.stdout)
    return tmp_path


def tools(folder: Path, *names: str) -> str:
    """Return a PATH that holds only ``names``."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def run(checkout: Path, path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "scripts/setup.sh"],
        cwd=checkout,
        env={"PATH": path, "HOME": os.environ.get("HOME", "/"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_npm_it_says_what_is_missing_and_what_works(checkout: Path, tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", "bash", "cat", "cksum", "dirname")
    done = run(checkout, path)
    assert done.returncode == 1
    assert "npm was not found" in done.stderr
    assert "install Node 20" in done.stderr
    assert "works: tidegate strategy new|check|explain|schema" in done.stderr


def test_without_python_it_says_so(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".venv" / ".tidegate-installed").unlink()
    shutil.rmtree(checkout / ".venv")
    path = tools(tmp_path / "bin", "bash", "cat", "cksum", "dirname")
    done = run(checkout, path)
    assert done.returncode == 1
    assert "no Python 3.11 or newer was found" in done.stderr


def test_what_pip_only_warns_of_is_not_shown_and_its_errors_are(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    path = tools(tmp_path / "bin", "bash", "cat", "cksum", "dirname")
    nowhere = str(tmp_path / "nowhere")
    done = run(checkout, path, PYTHON=sys.executable, PIP_NO_INDEX="1", PIP_FIND_LINKS=nowhere)
    assert done.returncode == 1
    assert "(about a minute)" in done.stderr
    assert "WARNING" not in done.stderr
    assert "ERROR: No matching distribution found" in done.stderr
    assert "set-up stopped: the Python packages could not be installed" in done.stderr


def test_when_all_is_in_place_it_needs_neither_npm_nor_network(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", "bash", "cat", "cksum", "dirname")  # neither npm nor pip's compiler
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "setup.sh")],
        env={**os.environ, "PATH": path, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), "run `make setup` before the suite"
