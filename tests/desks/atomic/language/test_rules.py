"""Each rule: a file that breaks it, and its nearest neighbour that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.desks.atomic import MEANINGS, unseen

from .samples import ARB, LEND, changed, findings, place_of

GUARDS = "guards:\n"
HEALTH = "guards:\n  - {min_health_factor: {min: 1.3}, place: [pre, in]}\n"
SELL = "in: {token_in: WETH, token_out: USDC, fee: 500, amount: $loan.amount}"
BOUND = "bounds: [{token: WETH, min: 0.01 WETH, net_of_gas: true, payout: true}]"


def arb(*changes: tuple[str, str]) -> str:
    """Return the arbitrage with changes."""
    return changed(ARB, *changes)


def group(optional: bool, guard: str = "", inner_guard: str = "") -> str:
    """Return steps with a group around one transfer, and a step after it that reads nothing."""
    return f"""steps:
  - group:
      id: extra
      optional: {str(optional).lower()}
{guard}      steps:
        - id: hop
          use: uniswap_v3.exact_input_single
          in: {{token_in: WETH, token_out: USDC, fee: 500, amount: 1 WETH}}
          slippage: 30 bps
{inner_guard}  - id: after
    use: uniswap_v3.exact_input_single
    in: {{token_in: WETH, token_out: USDC, fee: 500, amount: 2 WETH}}
    slippage: 30 bps
"""


GROUPED = ARB[: ARB.index("steps:")]
SKIP = "      guards: [{oracle_sanity: {pair: WETH/USDC}, place: [pre, in], on_failure: skip}]\n"
INNER_SKIP = "          guards: [{oracle_sanity: {pair: WETH/USDC}, place: [pre, in], on_failure: skip}]\n"
RAW = """steps:
  - id: poke
    use: raw.call
    in: {target: some.contract, function: "multicall(bytes[])", args: [[]]}
    because: no adapter
    policy: []
"""
LAST_STEP = "amount: $sell.amount_out}\n          slippage: 30 bps\n"
LINE = "          guards: [{{min_profit: {{token: WETH, amount: 1}}, place: [{}]}}]\n"
RANGE_GUARD = "guards:\n  - {{price_range: {{pair: WETH/USDC, low: {} USDC, high: 1 USDC}}, place: [in]}}\n"
POKE = (
    RAW.replace("multicall(bytes[])", "claim(address who, uint256 amount)")
    .replace("args: [[]]", "args: [executor, 7], moves: [USDC]")
    .replace("policy: []", "policy: [self@0]")
)
V2 = ("use: uniswap_v3.exact_input_single", "use: uniswap_v2.swap_exact_tokens_for_tokens")
WITH_DAI = ("[WETH, USDC]", "[WETH, USDC, DAI]")
WITH_WBTC = ("[WETH, USDC]", "[WETH, USDC, WBTC]")
INTO_DAI = ("token_out: WETH, fee: 3000", "token_out: DAI, fee: 3000")
READS_HOP = ("USDC, fee: 500, amount: 2 WETH", "DAI, fee: 500, amount: $hop.amount_out")
RANGE = "min: 0.1 WETH, max: 50 WETH"
AMOUNT = f"type: amount, token: WETH, {RANGE}"
SEARCHED = "{type: amount, token: WETH, min: 1 WETH, max: 2 WETH, search: true}"
PAY = """steps:
  - id: pay
    use: erc20.transfer
    in: {token: WETH, to: treasury, amount: 1 WETH}
"""
AGAIN = f"""        - id: again
          use: uniswap_v3.exact_input_single
          {SELL.replace("$loan.amount", "1 WETH")}
          slippage: 30 bps
"""
FEE500 = ("fee: 500, ", "")
BLINDS = "blinds: {"
SHARE = "share: {type: bps, min: 1 %, max: 100 %}, "
RATE = "share: {type: bps, min: 1 bps, max: 200 bps}, "
WHOLE = "share: {type: uint256, min: 1, max: 100}, "
OF_SHARE = "$share of $sell.amount_out"
ACCOUNT = "0x17db8E4EFe9f5Fa57a0e9a0CdFe2FfEaa27AbcDe"
RAW_ADDRESS = f"addresses: {{pool: {{address: '{ACCOUNT}', source: their documentation}}}}"

# code, the file that breaks the rule, what the finding points at, and the neighbour that does not.
CASES: list[tuple[str, str, str, str]] = [
    (
        "ATM101",
        arb(("          slippage: 30 bps\n", "")),
        "id: sell",
        arb(("          slippage: 30 bps\n", ""), (GUARDS, GUARDS + "  - {slippage: {max: 30 bps}}\n")),
    ),
    ("ATM102", changed(LEND, (HEALTH, "")), "id: supply", LEND),
    (
        "ATM102",
        changed(LEND, (HEALTH, ""), ("1000 USDC}\n", "1000 USDC}\n    guards: [{min_health_factor: {}}]\n")),
        "id: supply",
        changed(
            LEND,
            (HEALTH, ""),
            ("1000 USDC}\n", "1000 USDC}\n    guards: [{min_health_factor: {}}]\n"),
            ("2 WETH}\n", "2 WETH}\n    guards: [{min_health_factor: {}}]\n"),
        ),
    ),
    ("ATM105", arb((", min: 0.01 WETH, net_of_gas: true", "")), "{token: WETH, payout", ARB),
    (
        "ATM105",
        arb(("min: 0.01 WETH, net_of_gas: true", "min: -1 WETH")),
        "-1 WETH",
        arb((", net_of_gas: true", "")),
    ),
    ("ATM105", arb((BOUND + "\n", "")), "id: loan", arb(("min: 0.01 WETH, ", ""))),
    (
        "ATM105",
        arb(INTO_DAI, WITH_DAI),
        "id: loan",
        arb(INTO_DAI, WITH_DAI, ("min: 0.01 WETH", "min: -50 WETH")),
    ),
    (
        "ATM106",
        arb(("slippage: 30 bps", "slippage: 0 bps")),
        "0 bps\n",
        arb(("slippage: 30 bps", "slippage: 1 bps")),
    ),
    (
        "ATM107",
        arb(("slippage: 30 bps", "slippage: 301 bps")),
        "301 bps",
        arb(("slippage: 30 bps", "slippage: 300 bps")),
    ),
    (
        "ATM107",
        arb(("slippage: 30 bps", "slippage: 5 %")),
        "5 %",
        arb(("slippage: 30 bps", "slippage: 5 %\n          accept_slippage: a thin pool")),
    ),
    ("ATM108", arb(("on_failure: revert", "on_failure: skip")), "skip", ARB),
    ("ATM108", GROUPED + group(False, SKIP), "skip}]", GROUPED + group(True, SKIP)),
    ("ATM108", GROUPED + group(False, "", INNER_SKIP), "skip}]", GROUPED + group(True, "", INNER_SKIP)),
    (
        "ATM109",
        GROUPED + changed(group(True, SKIP), READS_HOP),
        "$hop.amount_out",
        GROUPED + changed(group(False), READS_HOP),
    ),
    (
        "ATM110",
        arb(("on_failure: revert", "on_failure: warn")),
        "[pre, in]",
        arb(("[pre, in], on_failure: revert", "[pre, post], on_failure: warn")),
    ),
    (
        "ATM110",
        GROUPED + group(True, SKIP.replace("[pre, in]", "[pre, post]")),
        "[pre, post]",
        GROUPED + group(True, SKIP),
    ),
    ("ATM111", arb(("exact_input_single", "exact_input_singel")), "uniswap_v3.exact_input_singel", ARB),
    (
        "ATM111",
        arb(("guards:\n", "guards:\n  - {balance_floor: {token: WBTC, amount: 1}}\n")),
        "WBTC",
        arb(("guards:\n", "guards:\n  - {balance_floor: {token: WETH, amount: 1}}\n")),
    ),
    (
        "ATM112",
        arb((LAST_STEP, LAST_STEP + LINE.format("pre, in"))),
        "[pre, in]}]",
        arb((LAST_STEP, LAST_STEP + LINE.format("pre"))),
    ),
    (
        "ATM112",
        arb(("guards:\n", RANGE_GUARD.format(2))),
        "2 USDC",
        arb(("guards:\n", RANGE_GUARD.format(1))),
    ),
    ("ATM111", arb(("oracle_sanity", "oracle_sanitty")), "oracle_sanitty", ARB),
    (
        "ATM111",
        arb(("provider: auto", "provider: aav_v3")),
        "aav_v3",
        arb(("provider: auto", "provider: aave_v3")),
    ),
    (
        "ATM111",
        arb(("token_out: USDC", "token_out: WBTC")),
        "WBTC",
        arb(("token_out: USDC", "token_out: WBTC"), ("token_in: USDC", "token_in: WBTC"), WITH_WBTC),
    ),
    (
        "ATM111",
        arb(("pair: WETH/USDC", "pair: WETH/WBTC")),
        "WETH/WBTC",
        arb(("pair: WETH/USDC", "pair: WETH/USD")),
    ),
    (
        "ATM112",
        arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: 1.5")),
        "1.5}",
        arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: 1.5 WETH")),
    ),
    ("ATM112", arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: 30 bps")), "30 bps}", ARB),
    (
        "ATM112",
        arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: 5 USDC")),
        "5 USDC}",
        arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: 5")),
    ),
    ("ATM112", arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: -1 WETH")), "-1 WETH", ARB),
    (
        "ATM112",
        arb(("amount: $size", "amount: $size + 5 USDC")),
        "+ 5 USDC",
        arb(("amount: $size", "amount: $size + 5 WETH")),
    ),
    ("ATM112", arb(("fee: 500", "fee: 1000000")), "1000000", arb(("fee: 500", "fee: 999999"))),
    ("ATM112", arb(("fee: 500, ", "")), "{token_in: WETH", ARB),
    ("ATM112", arb(("fee: 500", "fees: 5, fee: 500")), "fees", ARB),
    ("ATM112", arb(("token_in: WETH", "token_in: 5")), "5, token_out", ARB),
    (
        "ATM112",
        arb(V2, FEE500, ("amount: $loan", "via: DAI, amount: $loan")),
        "DAI",
        arb(V2, FEE500, ("amount: $loan", "via: [DAI], amount: $loan"), WITH_DAI),
    ),
    (
        "ATM112",
        arb(("max_deviation: 100 bps", "max_deviation: 100")),
        "100}",
        arb(("max_deviation: 100 bps", "max_deviation: 1 %")),
    ),
    ("ATM112", arb(("max_deviation: 100 bps", "max_deviation: 2001 bps")), "2001 bps", ARB),
    ("ATM112", arb(("max_deviation", "max_deviatoin")), "100 bps", ARB),
    ("ATM112", changed(LEND, ("2 WETH}\n", "2 WETH}\n    slippage: 30 bps\n")), "30 bps", LEND),
    (
        "ATM112",
        arb((AMOUNT, "type: bps, min: 1 bps, max: 2 bps")),
        "$size",
        arb((AMOUNT, "type: uint256, min: 1, max: 2")),
    ),
    (
        "ATM112",
        arb((BLINDS, BLINDS + WHOLE), ("$sell.amount_out", OF_SHARE)),
        "$share",
        arb((BLINDS, BLINDS + SHARE), ("$sell.amount_out", OF_SHARE)),
    ),
    (
        "ATM112",
        arb((BLINDS, BLINDS + SHARE.replace("100 %", "1001 %")), ("$sell.amount_out", OF_SHARE)),
        "1001 %",
        arb((BLINDS, BLINDS + SHARE.replace("100 %", "1000 %")), ("$sell.amount_out", OF_SHARE)),
    ),
    (
        "ATM112",
        arb(("deadline: 36 s", "deadline: 36 s\n" + RAW_ADDRESS.replace("Eaa27", "eaa27"))),
        "'0x17db",
        arb(("deadline: 36 s", "deadline: 36 s\n" + RAW_ADDRESS)),
    ),
    (
        "ATM112",
        arb(("deadline: 36 s", "deadline: 36 s\n" + RAW_ADDRESS.replace(ACCOUNT, "0x" + "0" * 40))),
        "'0x0000",
        arb(("deadline: 36 s", "deadline: 36 s\naddresses: {pool: some.pool}")),
    ),
    (
        "ATM112",
        arb((BLINDS, BLINDS + WHOLE), ("max_deviation: 100 bps", "max_deviation: $share")),
        "$share",
        arb((BLINDS, BLINDS + RATE), ("max_deviation: 100 bps", "max_deviation: $share")),
    ),
    ("ATM112", arb(("pair: WETH/USDC", "pair: $size")), "$size", ARB),
    ("ATM113", arb(("amount: $size", "amount: $sise")), "$sise", ARB),
    (
        "ATM113",
        arb(("50 WETH}", "50 WETH, search: true}"), ("net_of_gas: true, ", "")),
        "true}}",
        arb(("50 WETH}", "50 WETH, search: true}")),
    ),
    ("ATM113", arb(("50 WETH}", "50 WETH, search: true},\n  more: " + SEARCHED)), "true}}", ARB),
    ("ATM117", arb(("        - id: buy", AGAIN + "        - id: buy")), "id: again", ARB),
    ("ATM118", GROUPED + RAW, "raw.call", GROUPED + RAW + "    allow_opaque: reviewed\n"),
    ("ATM119", GROUPED + PAY.replace("treasury", "friend"), "friend", GROUPED + PAY),
    ("ATM120", arb(("amount: $loan.amount", "amount: $buy.amount_out")), "$buy.amount_out", ARB),
    ("ATM120", arb(("amount: $loan.amount", "amount: $sell.amount_out")), "$sell.amount_out", ARB),
    ("ATM120", arb(("amount: $size", "amount: $loan.amount")), "$loan.amount", ARB),
    ("ATM120", arb(("$sell.amount_out", "$sell.amount")), "$sell.amount", ARB),
    ("ATM120", arb(("$sell.amount_out", "$sel.amount_out")), "$sel.", ARB),
    ("ATM120", arb(("$loan.amount", "$loan.fee")), "$loan.fee", arb(("$loan.amount", "$loan.repay"))),
    ("ATM121", arb(("amount: $size", "amount: 0 WETH")), "0 WETH\n", arb(("amount: $size", "amount: 1"))),
    ("ATM121", arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: 0")), "0}", ARB),
    (
        "ATM121",
        arb((RANGE, "min: 0 WETH, max: 50 WETH, default: 0 WETH")),
        "0 WETH}}",
        arb((RANGE, "min: 0 WETH, max: 50 WETH, default: 1 WETH")),
    ),
    (
        "ATM122",
        arb(("provider: auto", "provider: uniswap_v3.WETH-USDC-500")),
        "uniswap_v3.WETH",
        arb(("provider: auto", "provider: uniswap_v3.WETH-USDC-100")),
    ),
    (
        "ATM122",
        arb(("provider: auto", "provider: [aave_v3, uniswap_v3.WETH-USDC-3000]")),
        "[aave_v3, uniswap_v3.WETH",
        arb(("provider: auto", "provider: [aave_v3, uniswap_v3.WETH-DAI-3000]")),
    ),
    ("ATM112", GROUPED + POKE.replace("    because: no adapter\n", ""), "id: poke", GROUPED + POKE),
    ("ATM112", GROUPED + POKE.replace("    policy: [self@0]\n", ""), "id: poke", GROUPED + POKE),
    ("ATM112", GROUPED + POKE.replace("self@0", "self@2"), "[self@2", GROUPED + POKE),
    (
        "ATM112",
        GROUPED + POKE.replace("self@0", "cap@0=0x7"),
        "[cap@0",
        GROUPED + POKE.replace("self", "cap"),
    ),
    ("ATM112", GROUPED + POKE.replace("uint256", "uint"), "function: ", GROUPED + POKE),
    ("ATM112", GROUPED + POKE.replace("args", "arguments"), "arguments: ", GROUPED + POKE),
    ("ATM112", GROUPED + POKE.replace(", 7]", "]"), "args: ", GROUPED + POKE),
    ("ATM112", GROUPED + POKE.replace("claim(address who,", "approve(address,"), "[self@0", GROUPED + POKE),
    ("ATM102", changed(LEND, ("{asset: WETH", "{pool: aave_v3.prime.pool, asset: WETH")), "id: supply", LEND),
    ("ATM111", GROUPED + POKE.replace("moves: [USDC]", "moves: [USDT]"), "USDT", GROUPED + POKE),
    ("W201", arb(("amount: $sell.amount_out", "amount: 3000 USDC")), "3000 USDC", ARB),
    ("W202", arb(("place: [pre, in]", "place: [pre]")), "oracle_sanity", ARB),
    ("W203", GROUPED + RAW + "    allow_opaque: reviewed\n", "raw.call", ARB),
    (
        "W204",
        arb(("max_gas: 900000", "max_gas: 6710887")),
        "6710887",
        arb(("max_gas: 900000", "max_gas: 6710886")),
    ),
]


@pytest.mark.parametrize(
    ("code", "bad", "needle", "good"), CASES, ids=[f"{case[0]}-{index}" for index, case in enumerate(CASES)]
)
def test_each_rule_fires_and_its_neighbour_does_not(
    code: str, bad: str, needle: str, good: str, tmp_path: Path
) -> None:
    found = [finding for finding in findings(bad, tmp_path) if finding.code == code]
    assert found, f"{code} did not fire: {findings(bad, tmp_path)}"
    places = [(finding.position.line, finding.position.column) for finding in found]
    assert place_of(bad, needle) in places
    for finding in found:
        assert finding.found
        assert finding.allowed
        assert finding.fix
        assert finding.is_error is code.startswith("ATM")
    assert code not in {finding.code for finding in findings(good, tmp_path)}


def test_the_samples_themselves_have_no_findings(tmp_path: Path) -> None:
    assert findings(ARB, tmp_path) == ()
    assert findings(LEND, tmp_path) == ()


def test_every_static_code_of_the_specification_is_exercised() -> None:
    elsewhere = {
        "ATM001",
        "ATM002",
        "ATM003",
        "ATM004",
        "ATM005",
        "ATM103",
        "ATM104",
        "ATM114",
        "ATM115",
        "ATM116",
    }
    assert {case[0] for case in CASES} | elsewhere == set(MEANINGS)


def swaps(count: int) -> str:
    """Return steps whose every output is summed up by the last: each needs a register until then."""
    lines = ["steps:"]
    for index in range(count):
        lines += [
            "  - flash:",
            f"      id: loan{index}",
            "      asset: WETH",
            "      amount: 1 WETH",
            f"      steps: [{{id: swap{index}, use: uniswap_v3.exact_input_single, slippage: 30 bps,",
            "        in: {token_in: WETH, token_out: USDC, fee: 500, amount: 1 WETH}}]",
        ]
    total = " + ".join(f"$swap{index}.amount_out" for index in range(count))
    lines += [
        "  - id: last",
        "    use: erc20.transfer",
        f"    in: {{token: USDC, to: treasury, amount: {total}}}",
    ]
    return "\n".join(lines) + "\n"


SPENDING = GROUPED.replace("min: 0.01 WETH", "min: -50 WETH")


def test_more_than_sixteen_live_registers(tmp_path: Path) -> None:
    def codes(count: int) -> set[str]:
        return {finding.code for finding in findings(SPENDING + swaps(count), tmp_path)}

    assert "ATM115" in codes(17)
    assert "ATM115" not in codes(14)


def nested(depth: int) -> str:
    text = "[{id: dust, use: erc20.transfer, in: {token: WETH, to: treasury, amount: 1}}]"
    for level in range(depth, 0, -1):
        text = f"[{{flash: {{id: loan{level}, asset: WETH, amount: 1 WETH, steps: {text}}}}}]"
    return f"steps: {text}\n"


def test_four_loans_nest_and_five_do_not(tmp_path: Path) -> None:
    assert "ATM116" not in {finding.code for finding in findings(SPENDING + nested(4), tmp_path)}
    assert "ATM116" in {finding.code for finding in findings(SPENDING + nested(5), tmp_path)}


def transfers(count: int) -> str:
    step = "  - {{id: dust{0}, use: erc20.transfer, in: {{token: WETH, to: treasury, amount: 1}}}}\n"
    return "steps:\n" + "".join(step.format(index) for index in range(count))


def test_a_program_that_is_too_long_and_one_that_fits(tmp_path: Path) -> None:
    fits = {finding.code for finding in findings(SPENDING + transfers(30), tmp_path)}
    assert fits == {"W204"}
    text = SPENDING + transfers(60)
    found = [finding for finding in findings(text, tmp_path) if finding.is_error]
    assert [finding.code for finding in found] == ["ATM116"]
    assert (found[0].position.line, found[0].position.column) == place_of(text, "- {id: dust0")


def test_eleven_calls_are_many_and_ten_are_not(tmp_path: Path) -> None:
    assert "W204" in {finding.code for finding in findings(SPENDING + transfers(11), tmp_path)}
    assert "W204" not in {finding.code for finding in findings(SPENDING + transfers(10), tmp_path)}


def test_steps_are_counted_in_all_scopes(tmp_path: Path) -> None:
    body = transfers(100).replace("steps:\n", "")
    inner = "\n".join("      " + line for line in body.replace("dust", "more").splitlines())
    group_text = "  - group:\n      id: all\n      steps:\n" + inner.replace("        - ", "        - ")
    text = SPENDING + "steps:\n" + body + group_text + "\n"
    found = [finding for finding in findings(text, tmp_path) if finding.code == "ATM116"]
    assert any("201 steps" in (finding.found or "") for finding in found)


def test_a_second_approval_is_told_by_names(tmp_path: Path) -> None:
    (finding,) = findings(arb(("        - id: buy", AGAIN + "        - id: buy")), tmp_path)
    assert finding.found == "again lets uniswap_v3.router02 take WETH, as sell does"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ARB, ""),
        (arb(("fee: 500, amount: $loan.amount", "fee: 500, amount: 2 WETH")), ""),
        ("strategy: 1\nsteps: [", "read no further"),
        (arb(("deadline: 36 s\n", "deadline: 36 s\nnever: 1\n")), "read no further"),
        (arb(("min: 0.1 WETH", "min: 0.1 WBT")), "not compiled to its end"),
        (arb(("amount: $size", "amount: $sise")), "not compiled to its end"),
        (arb(("        - id: buy", AGAIN + "        - id: buy")), "not compiled to its end"),
    ],
)
def test_findings_of_a_pass_that_stops_the_others_say_so(text: str, said: str, tmp_path: Path) -> None:
    sentence = unseen(findings(text, tmp_path))
    assert said in sentence
    assert bool(said) is bool(sentence)
