"""Less common parts of the language: each is read, judged and put into words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tidegate.desks.atomic import Elsewhere, as_text, explain, load_strategy
from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.records import Key, Record, meaning_of
from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.shapes import ByKind, Text, Truth
from tidegate.desks.atomic.language.syntax import FlashStep
from tidegate.desks.atomic.review.rules import names
from tidegate.desks.atomic.review.rules.references import outputs_exist
from tidegate.model import ConfigError, Placement, SourcePosition
from tidegate.venues import catalogue, parse_action

from .samples import ARB, LEND, TABLES, changed, findings, parsed, place_of

TOKENS = TABLES["devnet"]


def codes(text: str, folder: Path) -> list[str]:
    return [finding.code for finding in findings(text, folder)]


def test_limits_relay_and_addresses_are_read() -> None:
    more = """deadline: 36 s
limits: {max_runs_per_hour: 5, max_loss_per_day: 20.5 USD, max_in_flight: 2}
relay: {order: [private, public], blocks: 7, builders: [one], allow_public: true}
addresses:
  pool: uniswap_v3.pool
  raw: {address: '0x00000000000000000000000000000000000000AA', source: their documentation}
"""
    strategy = parsed(changed(ARB, ("deadline: 36 s\n", more)))
    limits, relay = strategy.limits, strategy.relay
    assert (limits.max_runs_per_hour, limits.max_loss_per_day_usd_e6, limits.max_in_flight) == (
        5,
        20_500_000,
        2,
    )
    assert (relay.order, relay.blocks, relay.builders, relay.allow_public) == (
        ("private", "public"),
        7,
        ("one",),
        True,
    )
    assert strategy.addresses["pool"].book_name == "uniswap_v3.pool"
    assert strategy.addresses["raw"].source == "their documentation"


def test_several_lenders_may_be_named() -> None:
    strategy = parsed(changed(ARB, ("provider: auto", "provider: [aave_v3, erc3156]")))
    (flash,) = strategy.steps
    assert isinstance(flash, FlashStep)
    assert flash.providers == ("aave_v3", "erc3156")
    assert "lender of aave_v3 or erc3156 that" in explain(strategy, TOKENS).steps[0].sentence


@pytest.mark.parametrize(
    ("trigger", "needle", "code", "found"),
    [
        ("price: {pair: WETH/DAI, source: chainlink, above: 1 DAI}", "WETH/DAI", "ATM111", "DAI"),
        ("price: {pair: WETH/USDC, source: chainlink, above: 1 WETH}", "1 WETH}", "ATM112", "1 WETH"),
        ("price: {pair: WETH/USDC, source: chainlink, above: 0 USDC}", "0 USDC", "ATM112", "0 USDC"),
        ("health_factor: {protocol: aave_v3, user: executor, below: 0}", "0}", "ATM002", "0"),
        ("health_factor: {protocol: compound, user: me, below: 1.2}", "compound", "ATM111", "compound"),
        ("price: {pair: WETH/USDC, source: uniswap, above: 1 USDC}", "uniswap", "ATM111", "uniswap"),
        ("schedule: {cron: 61 * * * *}", "61", "ATM002", "61 as minute"),
        ("schedule: {cron: 0 0 * * *, tz: Mars/Base}", "Mars", "ATM002", "Mars/Base"),
    ],
)
def test_levels_of_triggers_are_checked(trigger: str, needle: str, code: str, found: str) -> None:
    text = changed(ARB, ("every_block: {}, cooldown: 2 blocks", trigger))
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    error = caught.value
    assert error.position is not None
    assert (error.code, error.found) == (code, found)
    assert (error.position.line, error.position.column) == place_of(text, needle)


@pytest.mark.parametrize(
    ("amount", "code", "found"),
    [
        ("true", "ATM112", "true"),
        ("nobody", "ATM112", "nobody"),
        ("scale(1 WETH, $loan.amount, 5 USDC)", "ATM112", "WETH and USDC"),
        ("50% of 5 USDC", "ATM112", "an amount of USDC"),
        ("balance(USDC)", "ATM112", "an amount of USDC"),
        ("scale(5 USDC, $loan.amount, 1 WETH)", "ATM112", "an amount of USDC"),
        ("5 of $loan.amount", "ATM112", "of"),
    ],
)
def test_amounts_of_another_token_or_type(amount: str, code: str, found: str, tmp_path: Path) -> None:
    text = changed(ARB, ("fee: 500, amount: $loan.amount", f"fee: 500, amount: {amount!r}"))
    if amount == "true":
        text = text.replace("'true'", "true")
    assert (code, found) in [(finding.code, finding.found) for finding in findings(text, tmp_path)]


@pytest.mark.parametrize("fee", ["5 WETH", "$size", "[500]", "true", "1.5"])
def test_a_plain_number_is_a_plain_number(fee: str, tmp_path: Path) -> None:
    assert "ATM112" in codes(changed(ARB, ("fee: 500", f"fee: {fee}")), tmp_path)


def test_a_blind_may_be_a_plain_number(tmp_path: Path) -> None:
    tier = "}, tier: {type: uint256, min: 100, max: 10000, default: 500}}"
    assert codes(changed(ARB, ("50 WETH}}", "50 WETH" + tier), ("fee: 500", "fee: $tier")), tmp_path) == []


def test_blinds_without_a_range_are_judged_with_a_trial_value(tmp_path: Path) -> None:
    more = "50 WETH}, on: {type: bool}, who: {type: address}, word: {type: bytes32}}"
    text = changed(ARB, ("50 WETH}}", more))
    assert codes(text, tmp_path) == []
    left_open = explain(parsed(text), TOKENS).blinds
    assert left_open[1:] == (
        "$on: bool, given when the strategy runs.",
        "$who: address, given when the strategy runs.",
        "$word: bytes32, given when the strategy runs.",
    )


def test_defaults_are_put_into_words() -> None:
    more = (
        "50 WETH}, rate: {type: bps, min: 1 bps, max: 9 bps, default: 3 bps}, wait: {type: duration, "
        "min: 1 s, max: 1 min, default: 5 s}, on: {type: bool, default: true}, "
        "who: {type: address, default: '0x00000000000000000000000000000000000000AA'}}"
    )
    assert explain(parsed(changed(ARB, ("50 WETH}}", more))), TOKENS).blinds[1:] == (
        "$rate: bps, 1 bps to 9 bps, 3 bps unless given.",
        "$wait: duration, 1 s to 60 s, 5 s unless given.",
        "$on: bool, true unless given.",
        "$who: address, 0x00000000000000000000000000000000000000AA unless given.",
    )


def test_a_default_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not fit a blind of type bool"):
        parsed(changed(ARB, ("50 WETH}}", "50 WETH}, on: {type: bool, default: 1}}")))


def test_notes_stand_on_the_page() -> None:
    text = changed(
        ARB, ("deadline: 36 s", "deadline: 36 s\nnote: why it exists"), ("id: sell", "note: the dear side\n"
        "          id: sell")
    )  # fmt: skip
    page = as_text(explain(parsed(text), TOKENS))
    assert "why it exists" in page
    assert "(the dear side)" in page


def test_expressions_flags_and_lists_are_written_back() -> None:
    text = changed(
        ARB,
        ("uniswap_v3.exact_input_single", "uniswap_v2.swap_exact_tokens_for_tokens"),
        ("fee: 500, amount: $loan.amount", "via: [DAI], amount: 'scale($loan.amount, 1 WETH, 2 WETH)'"),
        ("[WETH, USDC]", "[WETH, USDC, DAI]"),
    )
    sentence = explain(parsed(text), TOKENS).steps[1].sentence
    assert sentence.startswith("Swap scale($loan.amount, 1 WETH, 2 WETH) of WETH into USDC on uniswap_v2")
    assert "by way of [DAI]" in sentence


def test_a_skip_is_said_where_it_happens() -> None:
    steps = """steps:
  - group:
      id: extra
      optional: true
      guards: [{oracle_sanity: {pair: WETH/USDC}, place: [in], on_failure: skip}]
      steps: [{id: dust, use: erc20.transfer, in: {token: WETH, to: treasury, amount: 1}}]
"""
    guards = explain(parsed(ARB[: ARB.index("steps:")] + steps), TOKENS).guards
    assert guards[1].on_failure == "the optional group is skipped (inside the transaction)"


def test_an_output_beyond_what_the_executor_keeps_is_refused() -> None:
    data = {
        "target": "far.contract",
        "signature": "far(uint256)",
        "kind": "read",
        "inputs": {"amount": {"type": "amount", "of": "WETH"}},
        "words": ["amount"],
        "outputs": {"near": {"word": 7, "of": "WETH"}, "last": {"word": 8, "of": "WETH"}},
        "moves": [],
        "policy": [],
    }
    steps = """steps:
  - {id: first, use: far.read, in: {amount: 1 WETH}}
  - {id: second, use: far.read, in: {amount: $first.near}}
  - {id: third, use: far.read, in: {amount: $first.last}}
"""
    text = ARB[: ARB.index("steps:")] + steps
    scene = Scene.of(parsed(text))
    scene = Scene(scene.strategy, {**catalogue(), "far.read": parse_action("far.read", data)}, scene.places)
    (finding,) = outputs_exist(scene)
    assert (finding.code, finding.found, finding.allowed) == ("ATM120", "word 8", "0 to 7")
    assert (finding.position.line, finding.position.column) == place_of(text, "$first.last")


@dataclass(frozen=True)
class OffChainOnly:
    name: str = "oracle_sanity"
    placements: frozenset[Placement] = frozenset({Placement.PRE})
    parameters: dict[str, object] = field(default_factory=dict)


def test_a_guard_stands_only_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_guard", lambda _: OffChainOnly())
    text = changed(ARB, ("{pair: WETH/USDC, max_deviation: 100 bps}", "{}"))
    (finding,) = names.guards_are_sound(Scene.of(parsed(text)))
    assert (finding.code, finding.found, finding.allowed) == ("ATM112", "in", "pre")
    assert not list(names.guards_are_sound(Scene.of(parsed(changed(text, ("[pre, in]", "[pre]"))))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fee: 500, ", "".join(f"x{index}: 1, " for index in range(33))),
        ("- {oracle_sanity: {pair: WETH/USDC, max_deviation: 100 bps}, place: [pre, in], on_failure: revert}",
         "- oracle_sanity"),
        ("slippage: 30 bps", "slippage: " + "9" * 41 + " bps"),
    ],
)  # fmt: skip
def test_forms_are_bounded(old: str, new: str, tmp_path: Path) -> None:
    found = findings(changed(ARB, (old, new)), tmp_path)
    assert found
    assert {finding.code for finding in found} <= {"ATM002", "ATM112"}


def test_a_finding_has_a_known_code() -> None:
    with pytest.raises(ValueError, match="ATM999"):
        Finding("ATM999", SourcePosition("x", 1, 1), "no such thing")


def test_the_sample_of_lending_moves_what_it_says() -> None:
    flow = [(item.token, item.direction) for item in explain(parsed(LEND), TOKENS).flow]
    assert flow == [("WETH", "out"), ("USDC", "in")]


def test_a_file_can_be_read_as_if_it_named_another_chain_or_executor(tmp_path: Path) -> None:
    path = tmp_path / "arb.yaml"
    path.write_text(ARB, encoding="utf-8")
    own = load_strategy(path, TABLES)
    backup = load_strategy(path, TABLES, Elsewhere(executor="backup1"))
    assert (backup.executor, backup.chain) == ("backup1", "devnet")
    assert load_strategy(path, TABLES, Elsewhere(chain="ethereum")).chain == "ethereum"
    same = load_strategy(path, TABLES, Elsewhere("devnet", "main1"))
    assert same.digest == own.digest != backup.digest
    assert backup.at("executor") == own.at("executor")


def test_what_a_form_allows_is_said_in_words() -> None:
    text = Text("a name", "[a-z]+", 5)
    assert meaning_of(ByKind(text)) == "a name"
    assert meaning_of(Truth()) == "a value"
    assert meaning_of(Record({"a": Key(text), "b": Key(text)})) == "a mapping with a, b"
    assert meaning_of(Record({"a": Key(text), "b": Key(text, required=True)})) == "a mapping with b"


def test_a_guard_whose_name_is_no_name_is_refused(tmp_path: Path) -> None:
    found = findings(changed(ARB, ("oracle_sanity:", "Oracle-Sanity:")), tmp_path)
    assert [finding.code for finding in found] == ["ATM002"]


def test_a_step_without_inputs_is_told_what_it_needs(tmp_path: Path) -> None:
    text = changed(LEND, ("    in: {asset: WETH, amount: 2 WETH}\n", ""))
    said = {finding.message for finding in findings(text, tmp_path)}
    assert said >= {"aave_v3.supply needs asset", "aave_v3.supply needs amount"}


def test_a_finding_is_a_flat_record_without_what_it_does_not_say() -> None:
    place = SourcePosition("a.yaml", 3, 7)
    whole = Finding("ATM101", place, "no slippage", "none", "1 to 300 bps", "add it").as_record()
    assert whole == {
        "code": "ATM101", "level": "error", "file": "a.yaml", "line": 3, "column": 7,
        "message": "no slippage", "found": "none", "allowed": "1 to 300 bps", "next": "add it",
    }  # fmt: skip
    assert Finding("W203", place, "a raw call").as_record().keys() == {
        "code", "level", "file", "line", "column", "message",
    }  # fmt: skip
