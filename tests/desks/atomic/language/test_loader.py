from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.desks.atomic import load_strategy, parse_strategy
from tidegate.desks.atomic.language.document import parse_document, plain
from tidegate.desks.atomic.language.loader import examine_strategy
from tidegate.desks.atomic.language.syntax import (
    ActionStep,
    BlindRef,
    BlindType,
    CombinedTrigger,
    Cooldown,
    EveryBlock,
    FlashStep,
    GroupStep,
    HealthFactorTrigger,
    ManualTrigger,
    OnFailure,
    OutputRef,
    PriceTrigger,
    ScheduleTrigger,
    walk,
)
from tidegate.model import ConfigError, Placement

from .samples import ARB, FILE, TABLES, changed, parsed, place_of


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    error = caught.value
    assert error.position is not None
    assert error.position.file == FILE
    assert error.found is not None
    assert error.allowed
    assert error.fix
    return error


def test_the_example_of_the_specification_is_read_whole() -> None:
    strategy = parsed(ARB)
    assert (strategy.name, strategy.chain, strategy.executor) == ("weth-usdc-tier-arb", "devnet", "main1")
    assert strategy.tokens == ("WETH", "USDC")
    size = strategy.blinds["size"]
    assert (size.type, size.token, size.minimum, size.maximum) == (
        BlindType.AMOUNT, "WETH", 10**17, 50 * 10**18,
    )  # fmt: skip
    assert isinstance(strategy.trigger, EveryBlock)
    assert strategy.cooldown == Cooldown(blocks=2, seconds=0)
    gas = strategy.gas
    assert (gas.max_gas, gas.max_base_fee_wei, gas.priority_fee_wei, gas.margin_bps) == (
        900_000, 40 * 10**9, 15 * 10**8, 1_500,
    )  # fmt: skip
    assert strategy.deadline_s == 36
    (bound,) = strategy.bounds
    assert (bound.token, bound.minimum, bound.net_of_gas, bound.payout) == ("WETH", 10**16, True, True)
    (guard,) = strategy.guards
    assert (guard.name, guard.placements, guard.on_failure) == (
        "oracle_sanity", (Placement.PRE, Placement.IN), OnFailure.REVERT,
    )  # fmt: skip
    (flash,) = strategy.steps
    assert isinstance(flash, FlashStep)
    assert (flash.id, flash.asset, flash.providers, flash.max_fee_bps) == ("loan", "WETH", (), 5)
    assert isinstance(flash.amount, BlindRef)
    sell, buy = flash.steps
    assert isinstance(sell, ActionStep)
    assert isinstance(buy, ActionStep)
    amount = buy.inputs["amount"]
    assert isinstance(amount, OutputRef)
    assert (amount.step, amount.output) == ("sell", "amount_out")
    assert (amount.position.line, amount.position.column) == place_of(ARB, "$sell.amount_out")
    assert (sell.slippage_bps, [step.id for step in walk(strategy.steps)]) == (30, ["loan", "sell", "buy"])


def test_what_is_left_out_has_the_stated_defaults() -> None:
    strategy = parsed(changed(ARB, ("trigger: {every_block: {}, cooldown: 2 blocks}\n", "")))
    assert isinstance(strategy.trigger, ManualTrigger)
    assert strategy.cooldown == Cooldown(blocks=1, seconds=0)
    limits = strategy.limits
    assert (limits.max_runs_per_hour, limits.max_loss_per_day_usd_e6, limits.max_in_flight) == (
        60, 100_000_000, 1,
    )  # fmt: skip
    relay = strategy.relay
    assert (relay.order, relay.blocks, relay.allow_public) == (("private",), 3, False)


def test_bundles_are_the_default_where_builders_take_them() -> None:
    strategy = parsed(changed(ARB, ("chain: devnet", "chain: ethereum")))
    assert strategy.relay.order == ("bundle", "private")
    asked = parsed(changed(ARB, ("deadline: 36 s", "deadline: 36 s\nrelay: {order: [bundle]}")))
    assert asked.relay.order == ("bundle",), "a devnet has builders if it is asked for them"


@pytest.mark.parametrize(
    ("old", "new", "once"),
    [
        ("every_block: {}", "every_block: {}", False),
        ("every_block: {}", "manual: {}", True),
        ("every_block: {}", "schedule: {cron: 0 0 * * *}", True),
        ("every_block: {}", "any: [{every_block: {}}, {manual: {}}]", True),
        ("deadline: 36 s", "deadline: 36 s\nonce: true", True),
    ],
)
def test_a_run_is_consumed_on_chain_where_a_repeat_could_spend(old: str, new: str, once: bool) -> None:
    assert parsed(changed(ARB, (old, new))).once is once


def test_comments_and_layout_do_not_change_the_digest_but_values_do() -> None:
    same = parsed("# a comment\n" + changed(ARB, ("deadline: 36 s", "deadline:   '36 s'")))
    other = parsed(changed(ARB, ("deadline: 36 s", "deadline: 37 s")))
    assert same.digest == parsed(ARB).digest != other.digest


def test_json_is_the_same_strategy(tmp_path: Path) -> None:
    path = tmp_path / "arb.json"
    path.write_text(json.dumps(plain(parse_document(ARB.encode(), FILE)), indent="\t"))
    assert load_strategy(path, TABLES).digest == parsed(ARB).digest


def test_every_trigger_is_read() -> None:
    triggers = """trigger:
  all:
    - price: {pair: WETH/USDC, source: chainlink, below: 2500 USDC, hysteresis: 20 bps}
    - schedule: {cron: 0 */6 * * *, tz: Europe/Berlin}
    - any: [{health_factor: {protocol: aave_v3, user: executor, below: 1.25}}, {manual: {}}]
  cooldown: 5 min
"""
    strategy = parsed(changed(ARB, ("trigger: {every_block: {}, cooldown: 2 blocks}\n", triggers)))
    trigger = strategy.trigger
    assert isinstance(trigger, CombinedTrigger)
    assert trigger.every
    price, schedule, either = trigger.triggers
    assert isinstance(price, PriceTrigger)
    assert (price.comparison, price.level, price.hysteresis_bps) == ("below", 2_500_000_000, 20)
    assert isinstance(schedule, ScheduleTrigger)
    assert (schedule.cron, schedule.tz) == ("0 */6 * * *", "Europe/Berlin")
    assert isinstance(either, CombinedTrigger)
    assert not either.every
    health = either.triggers[0]
    assert isinstance(health, HealthFactorTrigger)
    assert (health.comparison, health.level_e18) == ("below", 125 * 10**16)
    assert strategy.cooldown == Cooldown(blocks=0, seconds=300)


def test_groups_guards_and_raw_calls_are_read() -> None:
    steps = """steps:
  - group:
      id: extra
      optional: true
      guards: [{price_impact: {max: 50 bps}, on_failure: skip}]
      steps:
        - id: hop
          use: raw.call
          in: {target: some.contract, function: "poke(uint256)", args: [5]}
          because: no adapter yet
          policy: [recipient@3, pin@1=0x80]
          allow_opaque: reviewed
          note: a note
"""
    strategy = parsed(ARB[: ARB.index("steps:")] + steps)
    (group,) = strategy.steps
    assert isinstance(group, GroupStep)
    assert group.optional
    assert group.guards[0].on_failure is OnFailure.SKIP
    (hop,) = group.steps
    assert isinstance(hop, ActionStep)
    assert (hop.because, hop.policy, hop.allow_opaque, hop.note) == (
        "no adapter yet", ("recipient@3", "pin@1=0x80"), "reviewed", "a note",
    )  # fmt: skip


def test_every_blind_type_is_read() -> None:
    blinds = """blinds:
  size: {type: amount, token: WETH, min: 0.1 WETH, max: 50 WETH, default: 1 WETH, search: true}
  rate: {type: bps, min: 1 bps, max: 1 %}
  count: {type: uint256, min: 0, max: 5, default: 3}
  signed: {type: int256, min: -5, max: 5}
  wait: {type: duration, min: 1 s, max: 1 min}
  flag: {type: bool, default: false}
  who: {type: address, default: '0x00000000000000000000000000000000000000aA'}
  word: {type: bytes32}
"""
    strategy = parsed(changed(ARB, (ARB[ARB.index("blinds:") : ARB.index("trigger:")], blinds)))
    got = {name: (blind.minimum, blind.maximum, blind.default) for name, blind in strategy.blinds.items()}
    assert got == {
        "size": (10**17, 50 * 10**18, 10**18),
        "rate": (1, 100, None),
        "count": (0, 5, 3),
        "signed": (-5, 5, None),
        "wait": (1, 60, None),
        "flag": (None, None, False),
        "who": (None, None, "0x00000000000000000000000000000000000000aA"),
        "word": (None, None, None),
    }
    assert strategy.searched_blind is strategy.blinds["size"]


# What is wrong, where (the text that the finding points at), what was found, what the answer names.
BAD = [
    ("strategy: 1", "strategy: 2", "ATM003", "2\nname", "the number 2", "1 to 1"),
    ("bounds:", "bound:", "ATM002", "bound:", "bound", "bounds"),
    ("max_gas:", "maxgas:", "ATM002", "{maxgas", "no max_gas", "whole number"),
    ("use: uni", "uses: uni", "ATM002", "uses:", "uses", "use, flash or group"),
    ("name: weth-usdc-tier-arb", "name: Arb", "ATM002", "Arb", "the text 'Arb'", "slug"),
    ("chain: devnet", "chain: devnett", "ATM002", "devnett", "the text 'devnett'", "devnet"),
    ("chain: devnet", "chain: goerli", "ATM002", "goerli", "the text 'goerli'", "sepolia"),
    ("chain: devnet", "chain: base", "ATM111", "WETH, USDC]", "WETH", "no address book for this chain"),
    ("net_of_gas: true", "net_of_gas: yes", "ATM002", "yes", "the text 'yes'", "true or false"),
    ("deadline: 36 s", "deadline: 36", "ATM112", "36\nbounds", "the number 36", "36 s"),
    ("deadline: 36 s", "deadline: 1 s", "ATM002", "1 s\n", "1 s", "2 s to 1 h"),
    ("deadline: 36 s", "deadline: 61 min", "ATM002", "61 min", "61 min", "2 s to 1 h"),
    ("deadline: 36 s\n", "", "ATM104", "strategy: 1", "no deadline", "36 s"),
    (ARB[ARB.index("gas:") : ARB.index("deadline")], "", "ATM103", "strategy: 1", "no gas", "max_gas"),
    ("priority_fee: 1.5 gwei", "priority_fee: 1.5", "ATM112", "1.5}", "the number 1.5", "40 gwei"),
    ("40 gwei", "40 s", "ATM112", "40 s", "the text '40 s'", "40 gwei"),
    ("40 gwei", "5001 gwei", "ATM002", "5001 gwei", "5001 gwei", "0.001 to 5,000 gwei"),
    ("max_gas: 900000", "max_gas: 49999", "ATM002", "49999", "the number 49999", "50000"),
    ("max_gas: 900000", "max_gas: 16777217", "ATM002", "16777217", "the number 16777217", "16777216"),
    ("min: 0.1 WETH", "min: 0.1", "ATM112", "0.1,", "0.1", "0.1 WETH"),
    ("min: 0.1 WETH", "min: -0.1 WETH", "ATM113", "-0.1 WETH", "-0.1 WETH", "an amount"),
    ("min: 0.1 WETH", "min: 0.1 USDC", "ATM112", "0.1 USDC", "0.1 USDC", "an amount"),
    ("min: 0.1 WETH, ", "", "ATM113", "{type", "min and max are not both given", "min and max"),
    ("max: 50 WETH", "max: 0.01 WETH", "ATM113", "0.1 WETH,", "0.1 WETH to 0.01 WETH", "min at most max"),
    ("max: 50 WETH", "max: 50 WETH, default: 51 WETH", "ATM113", "51 WETH", "51 WETH", "50 WETH"),
    ("type: amount, token: WETH", "type: amount", "ATM113", "{type", "no token", "a token"),
    ("type: amount", "type: ammount", "ATM113", "ammount", "the text 'ammount'", "amount"),
    ("[WETH, USDC]", "[WETH, USDX]", "ATM111", "USDX", "USDX", "USDC"),
    ("[WETH, USDC]", "[WETH, USDC, WETH]", "ATM002", "WETH]", "WETH", "each token once"),
    ("{token: WETH, min: 0.01 WETH", "{token: DAI, min: 0.01 DAI", "ATM111", "DAI, min", "DAI", "WETH, USDC"),
    ("min: 0.01 WETH", "min: 0.01 USDC", "ATM112", "0.01 USDC", "0.01 USDC", "an amount of WETH"),
    ("min: 0.01 WETH", "min: 0.01", "ATM112", "0.01,", "the number 0.01", "0.01 WETH"),
    (
        "min: 0.01 WETH",
        "min: 0.0000000000000000001 WETH",
        "ATM112",
        "0.0000000000000000001",
        "19 decimals",
        "18",
    ),
    (
        "payout: true}]",
        "payout: true}, {token: WETH}]",
        "ATM002",
        "{token: WETH}]",
        "WETH",
        "one bound a token",
    ),
    ("amount: $size", "amount: 1.5", "ATM112", "1.5\n      provider", "the number 1.5", "1.5 WETH"),
    ("amount: $size", "amount: 5 ETHH", "ATM111", "5 ETHH", "ETHH", "WETH"),
    ("amount: $size", "amount: 1 WBTC", "ATM111", "1 WBTC", "WBTC", "WETH, USDC"),
    ("asset: WETH", "asset: WBTC", "ATM111", "WBTC", "WBTC", "WETH, USDC"),
    ("slippage: 30 bps", "slippage: 30", "ATM112", "30\n        - id: buy", "the number 30", "30 bps"),
    ("slippage: 30 bps", "slippage: 101 %", "ATM002", "101 %", "101 %", "0 to 100 %"),
    ("slippage: 30 bps", "slipage: 30 bps", "ATM002", "slipage", "slipage", "slippage"),
    ("id: sell", "id: size", "ATM002", "size\n          use", "size, also a blind", "one id"),
    (
        "id: buy",
        "id: sell",
        "ATM002",
        "sell\n          use: uniswap_v3.exact_input_single\n          in: {token_in: USDC",
        "sell, also another step",
        "one id",
    ),
    ("place: [pre, in]", "place: [pre, inn]", "ATM002", "inn", "the text 'inn'", "pre, in, post"),
    (
        "on_failure: revert",
        "on_failure: ignore",
        "ATM002",
        "ignore",
        "the text 'ignore'",
        "revert, warn, skip",
    ),
    ("cooldown: 2 blocks", "cooldown: 31 days", "ATM002", "31 days", "31 days", "0 to 30 days"),
    ("every_block: {}", "every_blok: {}", "ATM002", "every_blok", "every_blok", "every_block"),
    (
        "chain: devnet",
        "chain: arbitrum\nrelay: {order: [bundle]}",
        "ATM002",
        "[bundle]",
        "bundle",
        "ethereum",
    ),
    (
        "deadline: 36 s",
        "deadline: 36 s\nrelay: {order: [public]}",
        "ATM002",
        "[public]",
        "public without",
        "allow",
    ),
    (
        "max: 50 WETH",
        "max: 50 WETH, search: true}, rate: {type: bps, min: 1 bps, max: 2 bps, search: true",
        "ATM113",
        "true}}",
        "bps",
        "amount",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "code", "needle", "found", "allowed"), BAD, ids=[f"{row[2]}:{row[1][:30]}" for row in BAD]
)
def test_bad_input_is_answered_with_place_found_and_allowed(
    old: str, new: str, code: str, needle: str, found: str, allowed: str
) -> None:
    text = changed(ARB, (old, new))
    error = refused(text)
    assert error.code == code
    assert error.position is not None
    assert (error.position.line, error.position.column) == place_of(text, needle)
    assert found in (error.found or "")
    assert allowed in (error.allowed or "")


def test_unknown_names_are_answered_with_the_nearest() -> None:
    assert refused(changed(ARB, ("bounds:", "bound:"))).fix == "did you mean bounds?"
    assert refused(changed(ARB, ("[WETH, USDC]", "[WETH, USDX]"))).fix == "did you mean USDC?"


def test_all_findings_of_a_pass_are_reported_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(changed(ARB, ("36 s", "2 h"), ("0.01 WETH", "0.01 USDC"), ("id: sell", "id: size")))
    strategy, found = examine_strategy(path, TABLES)
    assert strategy is None
    assert [finding.code for finding in found] == ["ATM002", "ATM112", "ATM002"]
    assert [finding.position.line for finding in found] == sorted(finding.position.line for finding in found)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused_with_a_place(data: st.DataObject) -> None:
    text = ARB
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.integers(0, 12))
        junk = data.draw(st.text(alphabet="$%{}[]:,-#&*01.aW\n \"'", max_size=6))
        text = text[:start] + junk + text[start + length :]
    refusal: ConfigError | None = None
    try:
        parse_strategy(text.encode(), FILE, TABLES)
    except ConfigError as error:
        refusal = error
    assert refusal is None or (refusal.position is not None and refusal.code.startswith("ATM"))
