"""What the compiler emits, construct by construct."""

from __future__ import annotations

import dataclasses

import pytest
from tests.desks.atomic.machine.texts import (
    BUY,
    EXECUTOR,
    HEAD,
    HOP,
    MORPHO,
    SELL,
    V2_OUT,
    V3,
    book,
    closed,
    compiled,
    strategy,
)

from tidegate.desks.atomic import Loan, Quote, compile_program, compile_quote, parse_strategy
from tidegate.desks.atomic.machine import names
from tidegate.desks.atomic.machine.compiler import OPEN_BASE_FEE_WEI, guard_output
from tidegate.desks.atomic.machine.lowering import Constant, Held
from tidegate.desks.atomic.machine.terms import OPEN_CEILING, OPEN_FEE, OPEN_FLOOR
from tidegate.model import ZERO_ADDRESS, ConfigError
from tidegate.risk.guards import OnChainCheck, Position, Read
from tidegate.venues import Output, catalogue, load_book
from tidegate.venues.executor import (
    Approve,
    Call,
    Capture,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Line,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Patch,
    Take,
    disassemble,
    encoded_sizes,
)

WETH, USDC, DAI = (book().tokens[name].address for name in ("WETH", "USDC", "DAI"))
ROUTER02 = book().entry("uniswap_v3.router02").address
ROUTER = book().entry("uniswap_v2.router").address
AAVE = book().entry("aave_v3.pool").address


def words(call: Call) -> list[int]:
    body = call.data[4:]
    return [int.from_bytes(body[at : at + 32]) for at in range(0, len(body), 32)]


def test_a_literal_goes_into_call_data_and_a_reference_into_a_patch() -> None:
    program = compiled(f"{SELL}\n{BUY}", {"sell": 7, "buy": 9}).program
    load, approve_weth, sell, approve_usdc, buy = program.ops
    assert load == Load.literal(0, 0, 10**18)
    assert approve_weth == Approve(1, WETH, ROUTER02, 0)
    assert isinstance(sell, Call)
    assert words(sell) == [int(WETH, 16), int(USDC, 16), 500, int(EXECUTOR, 16), 10**18, 7, 0]
    assert (sell.patches, sell.capture) == ((), Capture(0)), "the literal's register is free again"
    assert approve_usdc == Approve(3, USDC, ROUTER02, 0)
    assert isinstance(buy, Call)
    assert words(buy)[4:6] == [0, 9]
    assert (buy.patches, buy.capture) == ((Patch(4, 0),), None), "nobody reads what it returns"
    assert program.registers == 1


def test_what_is_compiled_survives_its_own_bytes() -> None:
    made = compiled(f"{SELL}\n{BUY}", {"sell": 7, "buy": 9})
    assert disassemble(made.raw) == made.program
    assert [step.tag for step in made.steps] == list(range(len(made.steps)))
    assert [step.step_id for step in made.steps] == ["sell", "sell", "sell", "buy", "buy"]
    assert made.steps[2].label == "call exactInputSingle"
    assert made.steps[2].target == ROUTER02


def test_the_header_comes_from_the_terms() -> None:
    program = compiled(SELL, {"sell": 1}, run_id=b"\x07" * 32).program
    assert (program.chain_id, program.deadline, program.max_base_fee) == (1, 1_900_000_000, 40 * 10**9)
    assert program.run_id == b"\x07" * 32


def test_lines_are_sorted_and_what_moves_unbounded_gets_floor_zero() -> None:
    made = compiled(f"{SELL}\n{BUY}", {"sell": 1, "buy": 1}, floors={"WETH": 123})
    assert made.program.lines == (Line(USDC, 0), Line(WETH, 123, payout=True))
    assert [bound.symbol for bound in made.bounds] == ["USDC", "WETH"]
    assert [bound.decimals for bound in made.bounds] == [6, 18]


def test_a_bounded_token_that_does_not_move_keeps_its_line() -> None:
    head = HEAD.replace(
        "bounds: [{token: WETH", "bounds: [{token: DAI, min: -5 DAI, payout: true}, {token: WETH"
    )
    lines = compiled(SELL, {"sell": 1}, head=head, floors={"DAI": -5 * 10**18}).program.lines
    assert Line(DAI, -5 * 10**18, payout=True) in lines


def test_more_than_eight_tokens_are_refused() -> None:
    crowded = book().as_mapping()
    many = [f"T{number}" for number in range(9)]
    crowded["tokens"] |= {
        name: {"address": f"0x{number + 1:040x}", "decimals": 18} for number, name in enumerate(many)
    }
    bounds = ", ".join(f"{{token: {name}}}" for name in many[:8])
    text = HEAD.replace("bounds: [{token: WETH, min: 0.01 WETH, payout: true}]", f"bounds: [{bounds}]")
    text = text.replace("tokens: [ETH", f"tokens: [{', '.join(many)}, ETH")
    decimals = {name: token["decimals"] for name, token in crowded["tokens"].items()} | {"ETH": 18}
    parsed = parse_strategy(
        f"{text.strip()}\nsteps:\n  - {SELL}\n".encode(), "x.yaml", {"ethereum": decimals}
    )
    with pytest.raises(ConfigError, match="too many tokens move") as caught:
        compile_program(parsed, load_book(crowded), {}, closed({"sell": 1}))
    assert caught.value.code == "ATM116"


def test_exact_output_approves_the_ceiling_and_resets_it() -> None:
    steps = (
        "{id: get, use: uniswap_v3.exact_output_single, "
        "in: {token_in: WETH, token_out: USDC, fee: 500, amount_out: 10 USDC}, slippage: 10 bps}"
    )
    load, approve, call = compiled(steps, {"get": 777}).program.ops
    assert load == Load.literal(0, 0, 777)
    assert approve == Approve(1, WETH, ROUTER02, 0, zero_after=True)
    assert isinstance(call, Call)
    assert words(call)[4:6] == [10 * 10**6, 777]


def last_words(steps: str, limits: dict[str, int] | None = None) -> list[int]:
    call = compiled(steps, limits or {}).program.ops[-1]
    assert isinstance(call, Call)
    return words(call)


def test_what_must_come_out_rounds_up_and_what_is_spent_rounds_down() -> None:
    get = (
        "{id: get, use: uniswap_v3.exact_output_single, "
        "in: {token_in: WETH, token_out: USDC, fee: 500, amount_out: 'scale(1000003, 7, 10)'}, "
        "slippage: 10 bps}"
    )
    assert last_words(get, {"get": 777})[4] == 700_003
    pay = "{id: pay, use: erc20.transfer, in: {token: USDC, to: treasury, amount: 'scale(1000003, 7, 10)'}}"
    assert last_words(pay)[1] == 700_002


def test_v2_paths_deadline_and_outputs_at_the_end_of_the_path() -> None:
    hop_over_dai = HOP.replace("token_out", "via: [DAI], token_out")
    send = "{id: send, use: erc20.transfer, in: {token: USDC, to: treasury, amount: $hop.amount_out}}"
    program = compiled(f"{hop_over_dai}\n{send}", {"hop": 5}).program
    hop = program.ops[2]
    assert isinstance(hop, Call)
    path = [int(token, 16) for token in (WETH, DAI, USDC)]
    assert words(hop) == [10**18, 5, 0xA0, int(EXECUTOR, 16), 1_900_000_000, 3, *path]
    assert hop.capture == Capture(0, word=4)
    sent = program.ops[3]
    assert isinstance(sent, Call)
    assert (sent.target, words(sent), sent.patches) == (USDC, [int("77" * 20, 16), 0], (Patch(1, 0),))
    assert sent.data[:4].hex() == "a9059cbb"


def test_without_via_a_path_has_two_tokens() -> None:
    hop = compiled(HOP, {"hop": 5}).program.ops[2]
    assert isinstance(hop, Call)
    assert words(hop)[5] == 2


def test_a_path_that_is_too_long_is_refused() -> None:
    steps = (
        "{id: hop, use: uniswap_v2.swap_exact_tokens_for_tokens, slippage: 30 bps, "
        "in: {token_in: WETH, via: [DAI, WBTC, DAI, WBTC, DAI], token_out: USDC, amount: 1 WETH}}"
    )
    with pytest.raises(ConfigError, match="via is too long") as caught:
        compiled(steps, {"hop": 5})
    assert caught.value.position is not None


def test_a_second_output_is_taken_word_by_word() -> None:
    steps = f"""
    {{id: get, use: {V2_OUT}, slippage: 10 bps, in: {{token_in: WETH, token_out: USDC, amount_out: 10 USDC}}}}
    {{id: back, use: aave_v3.supply, in: {{asset: USDC, amount: $get.amount_out}}}}
    {{id: rest, use: erc20.transfer, in: {{token: WETH, to: executor, amount: $get}}}}
    """
    program = compiled(steps, {"get": 9}).program
    get = program.ops[2]
    assert isinstance(get, Call)
    assert get.capture == Capture(0, word=2), "amounts[0] is what went in"
    supply = next(op for op in program.ops if isinstance(op, Call) and op.target == AAVE)
    assert words(supply)[1] == 10 * 10**6, "an output that repeats a literal is that literal"
    rest = program.ops[-1]
    assert isinstance(rest, Call)
    assert words(rest)[0] == int(EXECUTOR, 16)


def test_take_fetches_what_a_capture_can_not() -> None:
    """No shipped action returns two words that can be named; one made for this does."""
    parsed = strategy("{id: all, use: aave_v3.withdraw, in: {asset: WETH, amount: 1 WETH}}")
    real = catalogue()
    spec = real["aave_v3.withdraw"]
    two = dataclasses.replace(spec, outputs={**spec.outputs, "second": Output("second", "asset", word=1)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "catalogue", lambda: {**real, "aave_v3.withdraw": two})
        made = compile_quote(
            parsed, book(), {}, Quote({}, 1_900_000_000), [("all", "amount"), ("all", "second")]
        )
    call, take = made.program.ops
    assert isinstance(call, Call)
    assert call.capture == Capture(0, 0)
    assert take == Take(1, 1, 1)
    assert made.values((5, 6)) == {("all", "amount"): 5, ("all", "second"): 6}


def test_wrapping_sends_value_from_a_register() -> None:
    steps = """
    {id: wrap, use: weth.deposit, in: {amount: 1 ETH}}
    {id: unwrap, use: weth.withdraw, in: {amount: $wrap.amount}}
    {id: again, use: weth.deposit, in: {amount: balance(ETH)}}
    """
    made = compiled(steps)
    load, wrap, unwrap, balance, again = made.program.ops
    assert load == Load.literal(0, 0, 10**18)
    assert isinstance(wrap, Call)
    assert (wrap.value_register, wrap.data.hex()) == (0, "d0e30db0")
    assert isinstance(unwrap, Call)
    assert words(unwrap) == [10**18]
    assert balance == Load(3, 0, LoadSource.BALANCE, 0)
    assert isinstance(again, Call)
    assert again.value_register == 0
    assert made.program.lines[0].token == ZERO_ADDRESS


LOAN = "{flash: {id: loan, asset: WETH, amount: %s, provider: auto, max_fee: 5 bps, steps: [%s]}}"


def test_a_flash_scope_is_a_frame_and_its_tag_comes_after_what_is_inside() -> None:
    steps = LOAN % ("$size", f"{SELL}, {BUY}".replace("1 WETH", "$loan.amount"))
    program = compiled(steps, {"sell": 1, "buy": 1}, loans=("loan",), max_fees={"loan": 3}).program
    load, flash = program.ops
    assert load == Load.literal(0, 0, 5 * 10**18)
    assert isinstance(flash, Flash)
    assert (flash.tag, flash.kind, flash.lender, flash.token) == (5, FlashKind.MORPHO_BLUE, MORPHO, WETH)
    assert (flash.amount_register, flash.repay_register, flash.max_fee) == (0, None, 3)
    assert flash.ops[0] == Approve(1, WETH, ROUTER02, 0), "the loan's own register serves the approval"


def test_what_must_be_repaid_can_be_named() -> None:
    inside = "{id: keep, use: aave_v3.withdraw, in: {asset: WETH, amount: $loan.repay}}"
    program = compiled(LOAN % ("1 WETH", inside), loans=("loan",)).program
    flash = program.ops[1]
    assert isinstance(flash, Flash)
    assert flash.repay_register == 1
    keep = flash.ops[0]
    assert isinstance(keep, Call)
    assert keep.patches == (Patch(1, 1),)


def test_an_amount_known_on_chain_can_be_lent_and_named_by_the_loans_own_name() -> None:
    inside = "{id: put, use: aave_v3.supply, in: {asset: WETH, amount: $loan}}"
    program = compiled(LOAN % ("balance(WETH)", inside), loans=("loan",)).program
    balance, flash = program.ops
    assert balance == Load.balance(0, 0, WETH)
    assert isinstance(flash, Flash)
    approve, supply = flash.ops
    assert approve == Approve(1, WETH, AAVE, 0)
    assert isinstance(supply, Call)
    assert supply.patches == (Patch(1, 0),)


def test_an_output_that_repeats_a_register_shares_it() -> None:
    steps = """
    {id: put, use: aave_v3.supply, in: {asset: WETH, amount: balance(WETH)}}
    {id: owe, use: aave_v3.borrow, in: {asset: WETH, amount: $put.amount}}
    """
    program = compiled(steps).program
    _, approve, supply, borrow = program.ops
    assert approve == Approve(1, WETH, AAVE, 0)
    assert isinstance(supply, Call)
    assert isinstance(borrow, Call)
    assert supply.patches == borrow.patches == (Patch(1, 0),)
    assert program.registers == 1


def test_approvals_are_counted_by_scope() -> None:
    twice = f"{SELL}\n{SELL.replace('sell', 'more')}"
    with pytest.raises(ConfigError) as caught:
        compiled(twice, {"sell": 1, "more": 1})
    assert caught.value.code == "ATM117"
    inside = SELL.replace("sell", "inner")
    nested = f"{LOAN % ('1 WETH', inside)}\n{SELL}"
    assert compiled(nested, {"sell": 1, "inner": 1}, loans=("loan",))


@pytest.mark.parametrize(
    ("amount", "ops"),
    [
        ("50% of $sell.amount_out", [(MathFunction.MUL_BPS_DOWN, None, None, 5_000)]),
        ("$sell.amount_out + 5 USDC", [(MathFunction.ADD, None, None, 5 * 10**6)]),
        ("5 USDC + $sell.amount_out", [(MathFunction.ADD, None, None, 5 * 10**6)]),
        ("$sell.amount_out - 5 USDC", [(MathFunction.SUBTRACT, None, None, 5 * 10**6)]),
        ("min($sell.amount_out, 5 USDC)", [(MathFunction.MINIMUM, None, None, 5 * 10**6)]),
        ("max(5 USDC, $sell.amount_out)", [(MathFunction.MAXIMUM, None, None, 5 * 10**6)]),
        ("scale($sell.amount_out, 7, 10)", [(MathFunction.MUL_DIV_DOWN, None, 1, 7)]),
        ("scale(7, $sell.amount_out, 10)", [(MathFunction.MUL_DIV_DOWN, None, 1, 7)]),
        ("scale(7, 10, $sell.amount_out)", [(MathFunction.MUL_DIV_DOWN, None, 0, 10)]),
        ("scale($sell.amount_out, balance(USDC), 10)", [(MathFunction.MUL_DIV_DOWN, 1, None, 10)]),
        (f"$sell.amount_out + {2**128}", [(MathFunction.ADD, 1, None, 0)]),
        ("balance(USDC) - $sell.amount_out", [(MathFunction.SUBTRACT, 0, None, 0)]),
        ("5 USDC - $sell.amount_out", [(MathFunction.SUBTRACT, 0, None, 0)]),
        (
            "50% of ($sell.amount_out + 1 USDC)",
            [(MathFunction.ADD, None, None, 10**6), (MathFunction.MUL_BPS_DOWN, None, None, 5_000)],
        ),
        (
            "$sell.amount_out - 50% of balance(USDC)",
            [(MathFunction.MUL_BPS_UP, None, None, 5_000), (MathFunction.SUBTRACT, 1, None, 0)],
        ),
    ],
)
def test_expressions_that_only_the_chain_can_work_out(
    amount: str, ops: list[tuple[MathFunction, int | None, int | None, int]]
) -> None:
    put = f'{{id: put, use: aave_v3.supply, in: {{asset: USDC, amount: "{amount}"}}}}'
    program = compiled(f"{SELL}\n{put}", {"sell": 1}).program
    found = [(op.function, op.b, op.c, op.immediate) for op in program.ops if isinstance(op, Math)]
    assert found == ops
    assert isinstance(program.ops[-1], Call)
    assert program.ops[-1].patches


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        ("50% of 3", 1),
        ("2 + 3", 5),
        ("7 - 3", 4),
        ("min(7, 3)", 3),
        ("max(7, 3)", 7),
        ("scale(1000003, 7, 10)", 700_002),
        ("$size", 5 * 10**18),
        ("50% of $size - 1", 25 * 10**17 - 1),
    ],
)
def test_expressions_that_are_known_are_worked_out_here(amount: str, value: int) -> None:
    put = f'{{id: put, use: aave_v3.withdraw, in: {{asset: WETH, amount: "{amount}"}}}}'
    (call,) = compiled(put).program.ops
    assert isinstance(call, Call)
    assert words(call)[1] == value


def test_registers_are_free_after_their_last_use() -> None:
    """Twenty swaps in a row, each of the one before: two registers are enough."""
    steps, previous, limits = [SELL], "sell", {"sell": 1}
    for number in range(10):
        name = f"s{number}"
        steps.append(
            f"{{flash: {{id: l{number}, asset: DAI, amount: 1 DAI, steps: "
            f"[{{id: {name}, use: aave_v3.withdraw, in: {{asset: DAI, amount: ${previous}}}}}]}}}}"
        )
        previous = name
        limits[name] = 1
    program = compiled("\n".join(steps), limits, loans=tuple(f"l{number}" for number in range(10))).program
    assert program.registers == 2


def check(position: Position, label: str = "price") -> OnChainCheck:
    read = Read(book().entry("guard_lens").address, b"\x01\x02\x03\x04")
    return OnChainCheck(label, read, Comparison.NEAR, 3_000, position, bps=50)


def test_a_loans_register_is_free_after_it() -> None:
    loans = [
        f"{{flash: {{id: l{number}, asset: DAI, amount: {number + 1} DAI, steps: "
        f"[{{id: s{number}, use: aave_v3.withdraw, in: {{asset: DAI, amount: 1}}}}]}}}}"
        for number in range(3)
    ]
    program = compiled("\n".join(loans), loans=("l0", "l1", "l2")).program
    assert [op.amount_register for op in program.ops if isinstance(op, Flash)] == [0, 0, 0]


GUARD = "{oracle_sanity: {pair: WETH/USDC}, place: [pre, in], on_failure: %s}"


def test_checks_stand_before_what_they_protect_or_last_in_their_scope() -> None:
    guarded = SELL.replace("slippage: 30 bps}", f"slippage: 30 bps, guards: [{GUARD % 'revert'}]}}")
    checks = {("sell", 0): (check(Position.AFTER, "after"), check(Position.BEFORE, "before"))}
    made = compiled(guarded, {"sell": 1}, checks=checks)
    kinds = [type(op).__name__ for op in made.program.ops]
    assert kinds == ["Call", "Check", "Load", "Approve", "Call", "Call", "Check"]
    read, test = made.program.ops[0], made.program.ops[1]
    assert isinstance(read, Call)
    assert (read.is_read, read.capture, read.data) == (True, Capture(0), b"\x01\x02\x03\x04")
    assert test == Check(1, Comparison.NEAR, 0, None, 3_000, bps=50)
    assert [made.steps[tag].label for tag in (0, 1)] == ["read before", "check before"]


def test_the_strategys_own_checks_surround_everything() -> None:
    head = HEAD + f"guards: [{GUARD % 'revert'}]\n"
    checks = {("", 0): (check(Position.BEFORE), check(Position.AFTER))}
    kinds = [type(op).__name__ for op in compiled(SELL, {"sell": 1}, head=head, checks=checks).program.ops]
    assert kinds == ["Call", "Check", "Load", "Approve", "Call", "Call", "Check"]


def test_guards_that_stand_only_outside_emit_nothing() -> None:
    head = HEAD + f"guards: [{(GUARD % 'revert').replace('[pre, in]', '[pre]')}]\n"
    checks = {("", 0): (check(Position.BEFORE),)}
    assert len(compiled(SELL, {"sell": 1}, head=head, checks=checks).program.ops) == 3


def test_an_optional_group_is_skipped_to_its_end() -> None:
    group = f"{{group: {{id: maybe, optional: true, guards: [{GUARD % 'skip'}], steps: [{SELL}]}}}}"
    last = "{id: end, use: aave_v3.withdraw, in: {asset: DAI, amount: 1 DAI}}"
    program = compiled(
        f"{group}\n{last}", {"sell": 1}, checks={("maybe", 0): (check(Position.BEFORE),)}
    ).program
    _, test, *rest = program.ops
    assert isinstance(test, Check)
    assert test.skip == encoded_sizes(rest[:-1])
    assert isinstance(rest[-1], Call)
    assert rest[-1].target == AAVE


def test_a_check_that_comes_last_can_not_skip() -> None:
    group = f"{{group: {{id: maybe, optional: true, guards: [{GUARD % 'skip'}], steps: [{SELL}]}}}}"
    with pytest.raises(ConfigError, match="stands last") as caught:
        compiled(group, {"sell": 1}, checks={("maybe", 0): (check(Position.AFTER),)})
    assert caught.value.code == "ATM108"


def test_a_quote_is_open_in_every_direction() -> None:
    exact = (
        "{id: get, use: uniswap_v3.exact_output_single, "
        "in: {token_in: DAI, token_out: USDC, fee: 500, amount_out: 10 USDC}, slippage: 10 bps}"
    )
    head = HEAD + f"guards: [{GUARD % 'revert'}]\n"
    parsed = strategy(LOAN % ("$size", f"{SELL}, {exact}"), head)
    terms = Quote(
        {"loan": Loan("morpho", FlashKind.MORPHO_BLUE, MORPHO)},
        1_900_000_000,
        {("", 0): (check(Position.BEFORE),)},
    )
    reading = guard_output(("", 0), "price")
    watch = [("loan", "amount"), ("sell", "amount_out"), ("sell", "in.amount"), ("get", "amount_in"), reading]
    made = compile_quote(parsed, book(), {"size": 10**18}, terms, watch)
    flash = made.program.ops[-1]
    assert isinstance(flash, Flash)
    assert flash.max_fee == OPEN_FEE
    calls = [op for op in flash.ops if isinstance(op, Call)]
    assert (words(calls[0])[5], words(calls[1])[5]) == (0, OPEN_CEILING)
    assert {(line.floor, line.payout) for line in made.program.lines} == {(OPEN_FLOOR, False)}
    assert made.program.max_base_fee == OPEN_BASE_FEE_WEI
    assert not any(isinstance(op, Check) for op in made.program.ops), "read, not enforced"
    assert made.sources[reading] == Held(0)
    assert made.sources["loan", "amount"] == Constant(10**18)
    registers = tuple(range(100, 116))
    held = {source.register for source in made.sources.values() if isinstance(source, Held)}
    assert len(held) == 3
    assert made.values(registers)["sell", "in.amount"] == 10**18
    assert made.values(registers)[reading] == 100


def test_a_reading_that_nobody_watches_frees_its_register() -> None:
    head = HEAD + f"guards: [{GUARD % 'revert'}]\n"
    terms = Quote({}, 1_900_000_000, {("", 0): (check(Position.BEFORE),)})
    made = compile_quote(strategy(SELL, head), book(), {}, terms, ())
    assert made.program.registers == 1
    assert made.values((0,) * 16) == {}


def test_watched_inputs_that_come_from_the_chain_are_held() -> None:
    made = compile_quote(
        strategy(f"{SELL}\n{BUY}"), book(), {}, Quote({}, 1), [("buy", "in.amount"), ("buy", "amount_out")]
    )
    assert made.sources == {("buy", "in.amount"): Held(0), ("buy", "amount_out"): Held(1)}


USE = "{id: one, use: %s, in: {%s}}"
WRONG = [
    (USE % ("uniswap_v3.exact_in", "token_in: WETH"), "ATM111", "unknown action"),
    (USE % (V3, "token_in: WETH, colour: 1"), "ATM112", "has no input colour"),
    (USE % (V3, "token_in: WETH, token_out: USDC, fee: 500"), "ATM112", "needs amount"),
    (USE % (V3, "token_in: WETH, token_out: USDC, fee: 1000000, amount: 1 WETH"), "ATM112", "fee of one"),
    (
        USE % (V3, "token_in: WETH, token_out: USDC, fee: balance(WETH), amount: 1 WETH"),
        "ATM112",
        "plain number",
    ),
    (USE % (V3, "token_in: 7, token_out: USDC, fee: 500, amount: 1 WETH"), "ATM112", "not a token"),
    (USE % (V3, "token_in: MKR, token_out: USDC, fee: 500, amount: 1 WETH"), "ATM111", "unknown token"),
    (USE % ("erc20.transfer", "token: USDC, to: mallory, amount: 1 USDC"), "ATM119", "may not be mallory"),
    (USE % ("erc20.transfer", "token: USDC, to: 5, amount: 1 USDC"), "ATM112", "wrong type"),
    (USE % ("aave_v3.supply", "asset: USDC, amount: $later.amount"), "ATM120", "not known here"),
    (USE % ("aave_v3.supply", "asset: USDC, amount: $later"), "ATM120", "not known here"),
    (USE % ("aave_v3.supply", 'asset: USDC, amount: "5 - 7"'), "ATM112", "below zero"),
    (USE % ("aave_v3.supply", 'asset: USDC, amount: "scale(5, 7, 0)"'), "config", "divides by zero"),
    (USE % ("aave_v3.supply", "asset: USDC, amount: $who"), "ATM113", "has no number"),
    (
        USE % ("aave_v3.supply", f'asset: USDC, amount: "{2**255} + {2**255}"'),
        "ATM112",
        "larger than any amount",
    ),
]


@pytest.mark.parametrize(("steps", "code", "message"), WRONG, ids=[message for _, _, message in WRONG])
def test_what_can_not_be_compiled_is_refused_at_its_place(steps: str, code: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compiled(steps, {"one": 1, "sell": 1}, loans=("loan",))
    assert caught.value.code == code
    assert caught.value.position is not None
    assert caught.value.position.file == "test.yaml"


def test_an_executor_and_a_protocol_that_the_book_does_not_know() -> None:
    with pytest.raises(ConfigError, match="unknown executor") as caught:
        compiled(SELL, {"sell": 1}, head=HEAD.replace("executor: main1", "executor: main2"))
    assert caught.value.position is not None
    bare = book().as_mapping()
    del bare["contracts"]["uniswap_v3.router02"]
    with pytest.raises(ConfigError, match="unknown contract") as caught:
        compile_program(strategy(SELL), load_book(bare), {}, closed({"sell": 1}))
    assert caught.value.position is not None


def test_too_many_live_values_are_refused() -> None:
    inside = SELL.replace("sell", "sN")
    loan = f"{{flash: {{id: lN, asset: DAI, amount: 1 DAI, steps: [{inside}]}}}}"
    sells = [loan.replace("N", str(number)) for number in range(17)]
    uses = " + ".join(f"$s{number}" for number in range(17))
    put = f'{{id: put, use: aave_v3.withdraw, in: {{asset: USDC, amount: "{uses}"}}}}'
    limits = {f"s{number}": 1 for number in range(17)}
    with pytest.raises(ConfigError) as caught:
        compiled("\n".join([*sells, put]), limits, loans=tuple(f"l{number}" for number in range(17)))
    assert caught.value.code == "ATM115"


def test_more_than_255_operations_are_refused() -> None:
    steps = [
        f'{{id: w{number}, use: aave_v3.withdraw, in: {{asset: USDC, amount: "50% of balance(USDC)"}}}}'
        for number in range(90)
    ]
    with pytest.raises(ConfigError, match="too many operations") as caught:
        compiled("\n".join(steps))
    assert caught.value.code == "ATM116"
