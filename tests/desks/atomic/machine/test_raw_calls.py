"""Raw calls: the same bytes as the adapter's, under the author's rules, and nothing beside them."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD

from tidegate.chain import encode_call, selector
from tidegate.desks.atomic import Assignment, draft_plan, explain, finish_plan, strategy_policy
from tidegate.desks.atomic.language.abi_text import array_of, parts_of, read_function, static_words
from tidegate.desks.atomic.machine.compiler import compile_quote
from tidegate.desks.atomic.machine.terms import Quote
from tidegate.model import ConfigError, Denied, Reason
from tidegate.venues.executor import Call, parse_policy, policy_key, walk

WETH, USDC = 10**18, 10**6
SWAP = """
  - id: poke
    use: raw.call
    in:
      target: uniswap_v3.router02
      function: "exactInputSingle((address token_in, address token_out, uint24 fee, address to,
        uint256 amount, uint256 least, uint160 limit))"
      args: [[WETH, USDC, 500, executor, AMOUNT, 1, 0]]
      token: WETH
      spend: AMOUNT
      moves: [USDC]
    because: the same as an adapter does, to compare
    policy: [asset@0, asset@1, self@3]
"""
OUT = "  - {id: out, use: weth.withdraw, in: {amount: 1 WETH}}\n"
BACK = "  - {id: back, use: weth.deposit, in: {amount: $out.amount}}\n"


def call(target: str, function: str, args: str, more: str = "", policy: str = "[]") -> str:
    return (
        f'  - {{id: poke, use: raw.call, in: {{target: {target}, function: "{function}", '
        f"args: {args}{more}}}, because: a test, policy: {policy}}}\n"
    )


def last_call(ground: Ground, steps: str, **blinds: int) -> Call:
    job = ground.job(HEAD + steps, **blinds)
    program = compile_quote(job.strategy, job.book, job.blinds, Quote({}, 2**39), ()).program
    return [op for op in walk(program.ops) if isinstance(op, Call)][-1]


def refusal(ground: Ground, steps: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        last_call(ground, steps)
    assert caught.value.position is not None
    return caught.value


def planned(ground: Ground, steps: str) -> tuple[Assignment, dict[str, int]]:
    job = ground.job(HEAD + steps)
    ground.allow(job)
    draft = draft_plan(ground.intent(job), job, ground.world)
    plan = finish_plan(draft, 1_000_000)
    before = {bound.symbol: ground.holds(bound.symbol) for bound in plan.bounds}
    assert ground.world.transact(plan.to, plan.data, sender=ground.operator).status == 1
    return job, {symbol: ground.holds(symbol) - amount for symbol, amount in before.items()}


def test_a_raw_call_runs_on_the_devnet_and_its_words_are_piped(ground: Ground) -> None:
    ground.give("WETH", 2 * WETH)
    pay = "  - {id: pay, use: erc20.transfer, in: {token: USDC, to: treasury, amount: $poke.word0}}\n"
    _, changed = planned(ground, SWAP.replace("AMOUNT", "1 WETH") + pay)
    assert changed == {"WETH": -WETH, "USDC": 0}


def test_a_reference_is_patched_into_the_word_of_a_struct(ground: Ground) -> None:
    ground.give("WETH", 2 * WETH)
    steps = OUT + BACK + SWAP.replace("AMOUNT", "$back.amount")
    _, changed = planned(ground, steps)
    assert changed["WETH"] == -WETH
    held = last_call(ground, SWAP.replace("AMOUNT", "50% of balance(WETH)"))
    assert [patch.word for patch in held.patches] == [4]
    assert held.data[4 + 4 * 32 : 4 + 5 * 32] == bytes(32), "the register fills it when the program runs"


def test_the_policy_is_what_the_author_states(ground: Ground) -> None:
    job = ground.job(HEAD + SWAP.replace("AMOUNT", "1 WETH"))
    router = ground.devnet.uniswap_v3.router02
    key = policy_key(
        router, selector("exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))")
    )
    words = {change.key: change.word for change in strategy_policy(job, ground.world)}
    assert parse_policy(words[key]).word == 0x104030203010000000000000001, "an adapter knows it: its rules"
    other = ground.job(
        HEAD + call("aave_v3.pool", "swapToVariable(address,address)", "[WETH, executor]", policy="[self@1]")
    )
    words = {change.key: change.word for change in strategy_policy(other, ground.world)}
    key = policy_key(ground.devnet.aave_v3.pool, selector("swapToVariable(address,address)"))
    assert [str(rule) for rule in parse_policy(words[key]).rules] == ["self@1"]


def test_without_its_entry_a_raw_call_is_denied_and_with_it_lands(ground: Ground) -> None:
    steps = call("aave_v3.pool", "getReservesList()", "[]", ", moves: [WETH]")
    job = ground.job(HEAD + steps)
    with pytest.raises(Denied) as caught:
        draft_plan(ground.intent(job), job, ground.world)
    assert caught.value.reason is Reason.POLICY_MISSING
    assert planned(ground, steps)[1] == {"WETH": 0, "USDC": 0}


ENCODED = [
    ("f(uint256 a, bool b)", "[7, true]", (7, True)),
    ("f(address token, address us)", "[USDC, executor]", None),
    ("f(bytes32 key, bytes data, string memo)", '["0x' + "ab" * 32 + '", "0x0102", hello]', None),
    ("f(uint256[] amounts, (bool, uint8)[2] flags)", "[[1, 2, 3], [[true, 1], [false, 2]]]", None),
    ("f()", "[]", ()),
]


@pytest.mark.parametrize(
    ("function", "args", "values"), ENCODED, ids=[function for function, _, _ in ENCODED]
)
def test_arguments_are_what_the_abi_library_encodes(
    ground: Ground, function: str, args: str, values: tuple[object, ...] | None
) -> None:
    expected: dict[str, tuple[object, ...]] = {
        ENCODED[1][0]: (ground.devnet.token("USDC"), ground.executor),
        ENCODED[2][0]: (b"\xab" * 32, b"\x01\x02", "hello"),
        ENCODED[3][0]: ([1, 2, 3], [(True, 1), (False, 2)]),
    }
    given = expected[function] if values is None else values
    wanted = encode_call(read_function(function).signature, *given)
    assert last_call(ground, call("aave_v3.pool", function, args)).data == wanted


def test_ether_is_sent_as_value(ground: Ground) -> None:
    ground.give("WETH", WETH)
    steps = OUT + call("weth.weth9", "deposit()", "[]", ", value: $out.amount, moves: [WETH]")
    job, changed = planned(ground, steps)
    assert changed == {"ETH": 0, "WETH": 0, "USDC": 0}
    assert "sending $out.amount of ETH" in str(
        explain(job.strategy, {"WETH": 18, "USDC": 6, "DAI": 18, "WBTC": 8})
    )


REFUSED = [
    (call("nobody.knows", "f()", "[]"), "ATM111"),
    (call("aave_v3.pool", "f(uint256 a)", "[7, 8]"), "ATM112"),
    (call("aave_v3.pool", "f(uint8 a)", "[256]"), "ATM112"),
    (call("aave_v3.pool", "f(address a)", "[nobody]"), "ATM111"),
    (call("aave_v3.pool", "f(bool a)", "[7]"), "ATM112"),
    (call("aave_v3.pool", "f(bytes a)", '["0x0"]'), "ATM112"),
    (call("aave_v3.pool", "f(uint a)", "[7]"), "ATM112"),
    (call("aave_v3.pool", "f()", "[]", ", spend: 1 WETH"), "ATM112"),
    (call("aave_v3.pool", "f()", "[]", ", value: WETH"), "ATM112"),
    (call("aave_v3.pool", "f()", "[]", ", much: 1"), "ATM112"),
    (call("aave_v3.pool", "f()", "[]", policy="[self@0]"), "ATM112"),
    (call("aave_v3.pool", "transferFrom(address,address,uint256)", "[executor, executor, 1]"), "ATM112"),
    (call("aave_v3.pool", "approve(address,uint256)", "[executor, 1]"), "ATM112"),
    (
        OUT + call("aave_v3.pool", "f(uint256[] a)", "[[$balance]]").replace("$balance", "balance(WETH)"),
        "ATM112",
    ),
]


@pytest.mark.parametrize(("steps", "code"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_can_not_be_called_is_refused_with_its_place(ground: Ground, steps: str, code: str) -> None:
    assert refusal(ground, steps).code == code


def test_abi_text_is_read_without_its_names() -> None:
    function = read_function(
        " claim( address comet, (uint256 a, bool[2] b)[] calldata terms, bytes memory data ) "
    )
    assert function.signature == "claim(address,(uint256,bool[2])[],bytes)"
    assert function.types == ("address", "(uint256,bool[2])[]", "bytes")
    assert parts_of("(uint256,bool[2])") == ("uint256", "bool[2]")
    assert (array_of("uint8[2][]"), array_of("(bool,bool)[3]"), array_of("bool")) == (
        ("uint8[2]", None),
        ("(bool,bool)", 3),
        None,
    )
    sizes = [
        static_words(kind)
        for kind in ("bool", "bool[3]", "(bool,uint8[2])", "bytes", "bool[]", "(bytes,bool)")
    ]
    assert sizes == [1, 3, 3, None, None, None]
