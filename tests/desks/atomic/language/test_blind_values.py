from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.desks.atomic import complete_blinds, load_blinds
from tidegate.model import ConfigError

from .samples import ARB, TABLES, changed, parsed

BLINDS = """blinds:
  size: {type: amount, token: WETH, min: 0.1 WETH, max: 50 WETH}
  rate: {type: bps, min: 1 bps, max: 1 %, default: 30 bps}
  wait: {type: duration, min: 1 s, max: 1 min, default: 5 s}
  count: {type: uint256, min: 0, max: 5, default: 2}
  flag: {type: bool, default: true}
  who: {type: address, default: '0x00000000000000000000000000000000000000aA'}
  best: {type: amount, token: WETH, min: 1 WETH, max: 2 WETH, search: true}
"""
STRATEGY = parsed(changed(ARB, (ARB[ARB.index("blinds:") : ARB.index("trigger:")], BLINDS)))
WHO = "0x00000000000000000000000000000000000000aA"
DEFAULTS = {"rate": 30, "wait": 5, "count": 2, "flag": True, "who": WHO}


def loaded(text: str, folder: Path) -> dict[str, int | bool | str]:
    path = folder / "blinds.yaml"
    path.write_text(text)
    return load_blinds(path, STRATEGY, TABLES["devnet"])


def test_values_are_base_units_and_defaults_fill_the_rest(tmp_path: Path) -> None:
    assert loaded("size: 5 WETH", tmp_path) == {"size": 5 * 10**18, **DEFAULTS}
    assert loaded("size: 100000000000000000", tmp_path)["size"] == 10**17


def test_each_type_can_be_given(tmp_path: Path) -> None:
    text = "size: 1 WETH\nrate: 0.5 %\nwait: 1 min\ncount: 5\nflag: false\nbest: 2 WETH\n"
    text += f"who: '0x{'ab' * 20}'\n"
    assert loaded(text, tmp_path) == {
        "size": 10**18, "rate": 50, "wait": 60, "count": 5, "flag": False, "who": "0x" + "ab" * 20,
        "best": 2 * 10**18,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("rate: 5 bps", "ATM113", "the blind size has no value"),
        ("size: 0.09 WETH", "ATM113", "the blind size is out of range"),
        ("size: 50.1 WETH", "ATM113", "the blind size is out of range"),
        ("size: 5 USDC", "ATM113", "the blind size has a value of another type"),
        ("size: 5.5", "ATM113", "the blind size has a value of another type"),
        ("size: true", "ATM113", "the blind size has a value of another type"),
        ("size: [1]", "ATM113", "the blind size has a value of another type"),
        ("size: 5 WET", "ATM111", "WET is neither a unit nor a token"),
        ("sise: 5 WETH", "ATM113", "weth-usdc-tier-arb has no blind sise"),
        ("size: 1 WETH\nflag: yes", "ATM113", "the blind flag has a value of another type"),
        ("size: 1 WETH\nwho: '0x12'", "ATM113", "the blind who has a value of another type"),
        ("[size]", "ATM002", "a blinds file is a mapping"),
        ("size: 1 WETH\nsize: 2 WETH", "ATM001", "the file has a key twice"),
    ],
)
def test_wrong_values_are_refused(text: str, code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(text, tmp_path)
    assert caught.value.code == code
    assert caught.value.position is not None


def test_a_value_out_of_range_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("size: 77.7 WETH", tmp_path)
    assert "77.7" not in str(caught.value)


def test_values_from_elsewhere_are_checked_too() -> None:
    assert complete_blinds(STRATEGY, {"size": 10**18})["rate"] == 30
    with pytest.raises(ConfigError, match="out of range"):
        complete_blinds(STRATEGY, {"size": 10**20})


def test_a_range_is_shown_in_units_that_people_write(tmp_path: Path) -> None:
    allowed = {}
    for text in ("size: 0.09 WETH", "size: 1 WETH\nrate: 2 %", "size: 1 WETH\nwait: 2 min"):
        with pytest.raises(ConfigError) as caught:
            loaded(text, tmp_path)
        allowed[text] = caught.value.allowed
    assert list(allowed.values()) == ["0.1 WETH to 50 WETH", "1 bps to 1 %", "1 s to 1 min"]
    bare = changed(ARB, ("min: 0.1 WETH, max: 50 WETH", "min: 50000000000000000, max: 50 WETH"))
    assert parsed(bare).blinds["size"].written_range == "0.05 WETH to 50 WETH"


def test_a_searched_blind_is_searched_unless_it_is_given() -> None:
    with_default = changed(ARB, ("max: 50 WETH", "max: 50 WETH, default: 5 WETH, search: true"))
    assert complete_blinds(parsed(with_default), {}) == {}
    assert complete_blinds(parsed(with_default), {"size": 10**18}) == {"size": 10**18}
