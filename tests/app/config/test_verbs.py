import json
from pathlib import Path

import pytest

from tidegate.app.cli import run_command as run


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    code, said = answer(capsys, "init")
    assert code == 0
    assert said["written"] == ["tidegate.toml", "strategies/v2-v3-arb.yaml", ".gitignore"]
    return tmp_path


def test_init_changes_nothing_that_is_there(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (place / "tidegate.toml").read_bytes()
    code, said = answer(capsys, "init")
    assert (code, said["ok"]) == (3, False)
    assert (place / "tidegate.toml").read_bytes() == before


def test_init_in_another_folder_says_where_to_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = answer(capsys, "init", str(tmp_path / "new"))
    assert code == 0
    assert said["next"][0].startswith("cd ")  # type: ignore[index]
    assert (tmp_path / "new" / "tidegate.toml").exists()


def test_check_is_well_after_init_and_exits_3_when_a_file_is_gone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "config", "check")[0] == 0
    (place / "strategies" / "v2-v3-arb.yaml").unlink()
    code, said = answer(capsys, "config", "check")
    assert (code, said["ok"]) == (3, False)


def test_explain_says_who_set_a_value_and_what_it_means(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = answer(capsys, "config", "explain", "run.stage", "--set", "run.stage=fork")
    assert code == 0
    assert (said["value"], said["set_by"], said["default"]) == ("fork", "command line", "paper")
    code, said = answer(capsys, "config", "explain", "chains.devnet.kind")
    assert (said["value"], said["set_by"]) == ("devnet", "tidegate.toml:23:1")


def test_explain_of_an_unknown_key_names_the_nearest(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = answer(capsys, "config", "explain", "run.stag")
    assert (code, said["next"]) == (3, "did you mean run.stage?")


def test_show_never_prints_what_a_reference_holds(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NODE_URL", "https://rpc.example/KEY123")
    with (place / "tidegate.toml").open("a", encoding="utf-8") as file:
        file.write('[[chains.devnet.endpoints]]\nname = "far"\nurl = "env:NODE_URL"\n')
    for verb in ("show", "check"):
        assert run(["config", verb]) == 0
        printed = capsys.readouterr().out
        assert "env:NODE_URL" in printed
        assert "KEY123" not in printed


def test_a_setting_without_a_value_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "config", "show", "--set", "run.stage")[0] == 3


def test_a_strategy_that_is_no_path_or_stands_twice_is_a_finding_not_a_defect(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for files in ('["a\\u0000b"]', '["strategies/v2-v3-arb.yaml", "strategies/v2-v3-arb.yaml"]'):
        code, said = answer(capsys, "config", "check", "--set", f"desk.atomic.strategies={files}")
        assert (code, said["ok"]) == (3, False)


def test_a_devnet_that_is_configured_and_not_up_says_how_to_start_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(place / "home"))
    code, said = answer(capsys, "safe", "show")
    assert (code, said["next"]) == (3, "tidegate devnet up --chains devnet:31337:12")
