from pathlib import Path

import pytest

from tidegate.app.config import Secret, Url, check_config, load_config, network_of
from tidegate.app.config.lines import lines_of
from tidegate.app.config.template import STRATEGY, TEXT
from tidegate.chain import NetworkKind
from tidegate.desks.atomic import template_text
from tidegate.model import ConfigError, Stage

HEAD = """\
[run]
stage = "fork"

[chains.main]
chain_id = 1

[[chains.main.endpoints]]
name = "first"
url = "http://127.0.0.1:8545"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "tidegate.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, text))
    return caught.value


def test_what_init_writes_is_a_valid_configuration_that_runs_in_paper(tmp_path: Path) -> None:
    loaded = load_config(written(tmp_path, TEXT))
    (tmp_path / STRATEGY).parent.mkdir()
    (tmp_path / STRATEGY).write_text(template_text("flash-arb"), encoding="utf-8")
    assert loaded.config.run.stage is Stage.PAPER
    assert all(finding.ok for finding in check_config(loaded))


def test_every_value_says_which_layer_set_it(tmp_path: Path) -> None:
    loaded = load_config(written(tmp_path, HEAD), {"paper.seed": "9"})
    assert str(loaded.origin("run.stage")) == "tidegate.toml:2:1"
    assert str(loaded.origin("chains.main.endpoints[0].url")) == "tidegate.toml:9:1"
    assert str(loaded.origin("paper.seed")) == "command line"
    assert str(loaded.origin("run.desk")) == "default"
    assert loaded.config.paper.seed == 9


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    loaded = load_config(written(tmp_path, HEAD), {"run.stage": "shadow"})
    assert loaded.config.run.stage is Stage.SHADOW
    assert str(loaded.origin("run.stage")) == "command line"


def test_an_unknown_key_names_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    error = refused(tmp_path, HEAD + "timeout_s = 3\n")
    assert error.code == "config_unknown_key"
    assert error.exit_code == 3
    assert str(error.position) == "tidegate.toml:10:1"
    assert error.fix == "did you mean chains.main.endpoints[0].timeout_ms?"


def test_a_wrong_unit_is_refused_with_the_unit_that_the_key_counts(tmp_path: Path) -> None:
    error = refused(tmp_path, HEAD + 'timeout_ms = "2 s"\n')
    assert error.code == "config_value"
    assert "milliseconds" in (error.allowed or "")
    assert "'2 s'" in (error.found or "")
    assert "tidegate.toml:10" in (error.found or "")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("weight = 0", "config_value"),
        ("weight = true", "config_value"),
        ("weight = 1.5", "config_value"),
        ('tier = "best"', "config_value"),
        ('ws = ""', "url"),
        ("ws = 3", "config_value"),
        ("weight = 1\nweight = 2", "config_syntax"),
        ("weight = ", "config_syntax"),
    ],
)
def test_a_value_out_of_its_range_is_refused(tmp_path: Path, line: str, code: str) -> None:
    assert refused(tmp_path, HEAD + line + "\n").code == code


def test_a_missing_key_says_what_it_means(tmp_path: Path) -> None:
    error = refused(tmp_path, "[chains.main]\nconfirmations = 2\n")
    assert error.code == "config_missing_key"
    assert "chain_id" in (error.allowed or "")


def test_a_url_of_another_machine_must_be_a_reference_and_is_not_shown(tmp_path: Path) -> None:
    text = HEAD.replace("http://127.0.0.1:8545", "https://rpc.example/KEY123")
    error = refused(tmp_path, text)
    assert error.code == "secret_reference"
    assert "KEY123" not in str(error)


def test_an_empty_url_does_not_win_over_a_missing_one(tmp_path: Path) -> None:
    assert refused(tmp_path, HEAD.replace("http://127.0.0.1:8545", "")).code == "url"


def test_a_secret_shows_its_reference_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_URL", "https://rpc.example/KEY123")
    for secret in (Secret("env:NODE_URL"), Url("env:NODE_URL")):
        assert "KEY123" not in f"{secret!r} {secret}"
        assert secret.reveal() == "https://rpc.example/KEY123"


def test_a_secret_that_is_missing_empty_or_readable_by_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGATE_NOT_THERE", raising=False)
    monkeypatch.setenv("TIDEGATE_EMPTY", "  ")
    open_file = tmp_path / "open"
    open_file.write_text("x", encoding="utf-8")
    open_file.chmod(0o644)
    for reference in (
        "env:TIDEGATE_NOT_THERE",
        "env:TIDEGATE_EMPTY",
        f"file:{open_file}",
        f"file:{tmp_path / 'none'}",
        "command:false",
    ):
        with pytest.raises(ConfigError) as caught:
            Secret(reference).reveal()
        assert caught.value.code == "secret_missing"
    open_file.chmod(0o600)
    assert Secret(f"file:{open_file}").reveal() == "x"
    assert Secret("command:echo y").reveal() == "y"


def test_a_value_instead_of_a_reference_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError) as caught:
        Secret("0xdeadbeefdeadbeef")
    assert "deadbeef" not in str(caught.value)


def test_a_public_network_can_not_be_called_a_devnet(tmp_path: Path) -> None:
    loaded = load_config(written(tmp_path, HEAD + "\n[chains.fake]\nchain_id = 1\nkind = 'devnet'\n"))
    with pytest.raises(ConfigError, match="mainnet"):
        network_of("fake", loaded.config.chains["fake"])
    assert network_of("main", loaded.config.chains["main"]).kind is NetworkKind.MAINNET


def test_an_unknown_chain_needs_its_kind_and_figures(tmp_path: Path) -> None:
    text = "[chains.own]\nchain_id = 777777\n"
    with pytest.raises(ConfigError, match="777777"):
        network_of("own", load_config(written(tmp_path, text)).config.chains["own"])
    text += "kind = 'testnet'\nblock_time_s = 3\nconfirmations = 5\n"
    network = network_of("own", load_config(written(tmp_path, text)).config.chains["own"])
    assert (network.kind, network.confirmations) == (NetworkKind.TESTNET, 5)


def test_check_finds_a_missing_secret_and_a_chain_without_endpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGATE_NOT_THERE", raising=False)
    text = HEAD.replace('"http://127.0.0.1:8545"', '"env:TIDEGATE_NOT_THERE"')
    text += "\n[chains.bare]\nchain_id = 10\n"
    loaded = load_config(written(tmp_path, text), {"run.chain": "bare"})
    wrong = {finding.check: finding for finding in check_config(loaded) if not finding.ok}
    assert set(wrong) == {"endpoint main.first", "run.chain", "strategies"}
    assert all(finding.fix for finding in wrong.values())


def test_lines_are_found_under_tables_and_arrays() -> None:
    text = "a = 1\n[t]\nb = 2\n[[t.items]]\nc = 3\n[[t.items]]\nc = '''\nx = 9\n'''\n[t.items.deep]\nd = 4\n"
    assert lines_of(text) == {
        "a": 1,
        "t": 2,
        "t.b": 3,
        "t.items[0]": 4,
        "t.items[0].c": 5,
        "t.items[1]": 6,
        "t.items[1].c": 7,
        "t.items[1].deep": 10,
        "t.items[1].deep.d": 11,
    }


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        load_config(path)
    path.write_bytes(b"# " + b"x" * 2**20)
    with pytest.raises(ConfigError, match="too large"):
        load_config(path)
    path.unlink()
    with pytest.raises(ConfigError, match="there is no"):
        load_config(path)


@pytest.mark.parametrize(
    "text",
    [
        "[paper]\nseed = " + "9" * 5_000,
        ".".join("a" * 5_000) + " = 1",
        "[" + ".".join("a" * 5_000) + "]",
        "x = " + "[" * 5_000 + "]" * 5_000,
    ],
    ids=["digits", "dotted key", "dotted table", "lists"],
)
def test_what_no_person_writes_is_refused_as_syntax_and_never_as_a_defect(tmp_path: Path, text: str) -> None:
    error = refused(tmp_path, text)
    assert error.code == "config_syntax"
    assert error.fix


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:port"])
def test_an_address_or_port_that_can_not_be_is_no_url(tmp_path: Path, url: str) -> None:
    error = refused(tmp_path, HEAD.replace("http://127.0.0.1:8545", url))
    assert (error.code, error.position is not None) == ("url", True)


def test_a_mark_of_byte_order_and_foreign_line_ends_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode())
    assert load_config(path).config == load_config(written(tmp_path, HEAD)).config


@pytest.mark.parametrize("value", ["1\npaper.failure_share = 1.0", "9" * 5_000, "[" * 5_000])
def test_a_setting_is_one_value_or_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, HEAD), {"paper.seed": value})
    assert caught.value.code == "config_value"


def test_a_file_of_a_secret_whose_name_can_not_be_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Secret("file:a\0b").reveal()
    assert caught.value.code == "secret_missing"
