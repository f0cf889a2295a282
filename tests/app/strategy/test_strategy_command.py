"""``tidegate strategy new | check | explain | schema`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as run
from tidegate.desks.atomic import TEMPLATES, json_schema, new_strategy

GOOD = new_strategy("arb", "flash-arb")


def written(folder: Path, text: str, name: str = "arb.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def checked(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code of ``check --json`` and the findings of its one file."""
    code = run(["strategy", "check", str(path), "--json"])
    answer = json.loads(capsys.readouterr().out)
    (file,) = answer["files"]
    assert answer["ok"] is file["ok"] is (code == 0)
    return code, file["findings"]


def test_new_writes_each_template_and_check_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for template in TEMPLATES:
        assert run(["strategy", "new", f"my-{template}", "--template", template, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {
            "ok": True, "file": f"my-{template}.yaml", "name": f"my-{template}", "template": template,
        }  # fmt: skip
    assert run(["strategy", "check", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("no findings") == len(TEMPLATES)


def test_new_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "mine")
    assert run(["strategy", "new", "arb", "--json"]) == 3
    assert "File exists" in json.loads(capsys.readouterr().out)["message"]
    assert (tmp_path / "arb.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [(["Arb"], "Arb"), (["../arb"], "../arb"), (["arb", "--template", "flash"], "flash")],
)
def test_new_refuses_names_and_templates_that_are_none(
    arguments: list[str],
    found: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["strategy", "new", *arguments, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["found"] == found
    assert list(tmp_path.iterdir()) == []


NESTED = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))

# The bad input of the issue: what is spoilt, exit code, finding, and the line that it stands on.
BAD = {
    "an unknown key": (GOOD.replace("bounds:", "bound:"), 3, "ATM002", "bound:", "bound"),
    "a missing unit": (GOOD.replace("deadline: 36 s", "deadline: 36"), 1, "ATM112", "deadline: 36", "36"),
    "a token not on the chain": (
        GOOD.replace("[WETH, USDC]", "[WETH, LINK]"),
        1,
        "ATM111",
        "[WETH, LINK]",
        "LINK",
    ),
    "a later step's output": (
        GOOD.replace("amount: $loan.amount", "amount: $buy.amount_out"),
        1,
        "ATM120",
        "$buy.amount_out",
        "$buy.amount_out",
    ),
    "a flash loan that nothing repays": (
        GOOD[: GOOD.index("        - id: buy")],
        1,
        "ATM105",
        "      id: loan",
        "no step of the scope gives",
    ),
    "an amount of zero": (
        GOOD.replace("amount: $size", "amount: 0 WETH"),
        1,
        "ATM121",
        "amount: 0 WETH",
        "0",
    ),
    "a negative bound": (
        GOOD.replace("min: 0.001 WETH, net_of_gas: true", "min: -1 WETH").replace(", search: true", ""),
        1,
        "ATM105",
        "min: -1 WETH",
        "WETH -1000000000000000000 base units",
    ),
    "a negative amount": (
        GOOD.replace("amount: $size", "amount: -1 WETH"),
        1,
        "ATM112",
        "amount: -1 WETH",
        "-1",
    ),
    "a bomb": ("a0: &a0 [x, x, x]\n" + NESTED, 3, "ATM001", "a0: &a0", "&a0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_answered_with_file_place_found_and_allowed(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, exit_code, code, line_text, found = BAD[name]
    path = written(tmp_path, text)
    answer, findings = checked(path, capsys)
    assert answer == exit_code
    finding = next(item for item in findings if item["code"] == code)
    assert finding["file"] == str(path)
    assert line_text in text.splitlines()[finding["line"] - 1]
    assert finding["column"] >= 1
    assert found in finding["found"]
    assert finding["allowed"]
    assert finding["next"]


def test_a_file_of_ten_megabytes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"x" * 10_000_000)
    code, (finding,) = checked(path, capsys)
    assert code == 3
    assert (finding["code"], finding["line"], finding["column"]) == ("ATM004", 1, 1)
    assert (finding["found"], finding["allowed"]) == ("10,000,000 bytes", "at most 262,144 bytes")


def test_warnings_alone_exit_with_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, (finding,) = checked(written(tmp_path, GOOD.replace("place: [pre, in]", "place: [pre]")), capsys)
    assert code == 0
    assert (finding["code"], finding["level"]) == ("W202", "warning")


def test_people_see_place_code_and_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD.replace("slippage: 30 bps", "slippage: 0 bps", 1))
    assert run(["strategy", "check", str(path)]) == 1
    shown = capsys.readouterr().out
    line = GOOD[: GOOD.index("slippage: 30 bps")].count("\n") + 1
    assert f"{path}:{line}:21 ATM106" in shown
    assert "found:   0 bps" in shown
    assert "next:    allow a little" in shown


def test_one_unreadable_file_decides_the_exit_code_of_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, GOOD)
    written(tmp_path, "a: [", "broken.yml")
    written(tmp_path, "not a strategy", "notes.txt")
    assert run(["strategy", "check", str(tmp_path), "--json"]) == 3
    files = json.loads(capsys.readouterr().out)["files"]
    assert [(Path(file["file"]).name, file["ok"]) for file in files] == [
        ("arb.yaml", True),
        ("broken.yml", False),
    ]


def test_two_files_of_one_name_are_an_error_at_the_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = written(tmp_path, GOOD, "a.yaml"), written(tmp_path, GOOD, "b.yaml")
    assert run(["strategy", "check", str(tmp_path), "--json"]) == 3
    files = json.loads(capsys.readouterr().out)["files"]
    assert [file["ok"] for file in files] == [True, False]
    (finding,) = files[1]["findings"]
    assert (finding["code"], finding["file"], finding["found"]) == (
        "ATM002",
        str(second),
        f"arb, also in {first}",
    )


def test_an_empty_folder_is_an_error_not_a_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategy", "check", str(tmp_path), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["message"] == "there is no strategy file"


def test_explain_is_a_page_for_people_and_data_for_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD)
    assert run(["strategy", "explain", str(path)]) == 0
    page = capsys.readouterr().out
    assert "Borrow $size of WETH by flash loan" in page
    assert "What reverts the run" in page
    assert run(["strategy", "explain", str(path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [step["number"] for step in record["steps"]] == ["1", "1.1", "1.2", "1.3"]


def test_explain_refuses_what_check_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD.replace("slippage: 30 bps", "slippage: 0 bps", 1))
    assert run(["strategy", "explain", str(path), "--json"]) == 3
    error = json.loads(capsys.readouterr().out)
    assert (error["code"], error["position"].startswith(str(path))) == ("ATM106", True)


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["strategy", "schema"], ["strategy", "schema", "--json"]):
        assert run(arguments) == 0
        assert json.loads(capsys.readouterr().out) == json_schema()
