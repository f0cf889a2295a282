"""The documentation is true: generated pages equal the code, links lead somewhere, code runs.

Blocks of a page run in order, in an empty folder of the page's own:

- ``console``: each line behind ``$`` is typed as it stands. Its expected exit code is 0 unless a
  comment says otherwise: ``$ tidegate journal verify  # exit 13``. Lines below it must be among what it
  prints, in order; ``…`` stands for anything, and spaces do not count.
- a block whose first line is ``# NAME.yaml`` or ``# NAME.py`` is that file.
- a block whose first line is ``# in NAME.yaml`` replaces top-level keys of that file.
- other ``python`` blocks run as one program, when all else on the page is done.
- ``text`` is notation or output; in ``docs/`` there is nothing else.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (in )?([\w-]+\.(?:yaml|py))\n")
SESSIONS: list[int] = []
"""Every command's own session: what it leaves in the background is ended by it."""
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def runs(page: Path) -> bool:
    return any(language in {"console", "python", "yaml"} for language, _ in blocks(page))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in targets if not (page.parent / link).exists()] == []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Yield a page's folder; what it left running is ended, also when it failed half way."""
    yield tmp_path
    for pid in SESSIONS:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
    SESSIONS.clear()
    if (tmp_path / ".tidegate" / "devnet").exists():
        run(["tidegate", "devnet", "down"], tmp_path, 0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in PAGES if runs(page)], ids=name)
def test_code_runs(page: Path, place: Path) -> None:
    tmp_path = place
    program = ""
    for language, text in blocks(page):
        file = FILE.match(text)
        if file is not None and file[1]:
            replace_keys(tmp_path / file[2], text)
        elif file is not None:
            (tmp_path / file[2]).write_text(text, encoding="utf-8")
        elif language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, shown = part.partition("\n")
                command, _, code = line.partition("  # exit ")
                printed = run(["bash", "-c", command], tmp_path, int(code or 0))
                assert matches(shown, printed), f"{command} prints\n{printed}\nand not\n{shown}"
        elif language == "python":
            program += text
        elif language == "yaml":
            assert yaml.safe_load(text) is not None
    if program:
        (tmp_path / "page.py").write_text(program, encoding="utf-8")
        run([sys.executable, "-W", "error", "page.py"], tmp_path, 0)


def replace_keys(path: Path, text: str) -> None:
    changed = yaml.safe_load(text)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(changed) <= set(content), f"{path.name} has no such key"
    path.write_text(yaml.safe_dump({**content, **changed}, sort_keys=False), encoding="utf-8")


def matches(shown: str, printed: str) -> bool:
    parts = [re.escape(part) for line in shown.splitlines() for part in " ".join(line.split()).split("…")]
    return re.search(".*?".join(parts), " ".join(printed.split())) is not None


def run(command: list[str], folder: Path, code: int) -> str:
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("TIDEGATE_HOME", None)
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    SESSIONS.append(process.pid)
    try:
        printed, said = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    shown = f"$ {command[-1]}\n{printed}\n{said}"
    assert process.returncode == code, shown
    assert "Traceback" not in said, shown
    return printed


@pytest.mark.parametrize(
    ("shown", "is_match"),
    [("", True), ("one", True), ("one\nthree", True), ("o… t…o", True), ("two\none", False), ("four", False)],
)
def test_what_is_shown_must_be_printed_in_order(shown: str, is_match: bool) -> None:
    assert matches(shown, "one  two\n three") is is_match


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions"}
    assert pages - named == {index}


@pytest.mark.parametrize(
    "benchmark",
    [
        "atomic_gas",
        "atomic_compile",
        "atomic_load",
        "simulate",
        "decode",
        "journal",
        "signer",
        "devnet",
        "rpc",
        "pipeline",
        "recover",
    ],
)
def test_every_field_of_a_benchmark_is_explained(benchmark: str) -> None:
    page = (ROOT / "docs" / "reference" / "benchmarks.md").read_text(encoding="utf-8")
    source = ast.parse((ROOT / "bench" / f"{benchmark}.py").read_text(encoding="utf-8"))
    answering = [
        node
        for node in ast.walk(source)
        if isinstance(node, ast.FunctionDef) and node.name in {"run", "fields", "_search"}
    ]
    answers = [
        node.value for function in answering for node in ast.walk(function) if isinstance(node, ast.Return)
    ]
    fields = {
        key.value
        for answer in answers
        if isinstance(answer, ast.Dict)
        for key in answer.keys
        if isinstance(key, ast.Constant)
    }
    assert {"name", "peer", "ratio"} < fields
    assert fields - set(re.findall(r"`(\w+)`", page)) == set()


def test_docs_hold_no_code_that_does_not_run() -> None:
    languages = {language for page in (ROOT / "docs").rglob("*.md") for language, _ in blocks(page)}
    assert languages <= {"console", "python", "yaml", "text"}


def test_generated_pages_equal_the_code() -> None:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    for name, content in generator.FILES.items():
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == content(), f"{name} is behind the code: make docs"


def test_every_room_is_two_clicks_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = (ROOT / "docs" / "explanation" / "rooms.md").read_text(encoding="utf-8")
    assert "docs/explanation/rooms.md" in readme
    folders = [path.parent.name for path in (ROOT / "src" / "tidegate").glob("*/__init__.py")]
    assert [room for room in folders if f"src/tidegate/{room}" not in rooms] == []
