import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model import (
    BPS,
    UINT256_MAX,
    ConfigError,
    Denied,
    ManualClock,
    Plan,
    Reason,
    Revert,
    SourcePosition,
    TidegateError,
    UnsignedTransaction,
    canonical_json,
    digest,
    errors,
    format_units,
    maximum_in,
    minimum_out,
    mul_div_down,
    mul_div_up,
)
from tidegate.model.evm import ZERO_ADDRESS

AMOUNTS = st.integers(min_value=0, max_value=UINT256_MAX)


@pytest.mark.parametrize(
    ("quote", "bps", "least", "most"),
    [
        (3_000_000_000, 30, 2_991_000_000, 3_009_000_000),
        (1_234_567, 30, 1_230_863, 1_238_271),
        (10**18, 5, 999_500_000_000_000_000, 1_000_500_000_000_000_000),
    ],
)
def test_slippage_vectors(quote: int, bps: int, least: int, most: int) -> None:
    assert (minimum_out(quote, bps), maximum_in(quote, bps)) == (least, most)


@given(AMOUNTS, AMOUNTS, st.integers(min_value=1, max_value=UINT256_MAX))
def test_rounding_is_tight_and_in_the_stated_direction(a: int, b: int, divisor: int) -> None:
    down, up = mul_div_down(a, b, divisor), mul_div_up(a, b, divisor)
    assert down * divisor <= a * b <= up * divisor
    assert up - down == (a * b % divisor != 0)


@pytest.mark.parametrize(("a", "b", "divisor"), [(1, 1, 0), (-1, 1, 1), (1, 1, -1)])
def test_rounding_refuses_what_has_no_direction(a: int, b: int, divisor: int) -> None:
    with pytest.raises(ValueError, match="needs a·b >= 0 and divisor > 0"):
        mul_div_down(a, b, divisor)


@given(AMOUNTS, st.integers(min_value=0, max_value=BPS))
def test_slippage_never_widens_beyond_what_was_said(quote: int, bps: int) -> None:
    assert minimum_out(quote, bps) <= quote <= maximum_in(quote, bps)
    assert (quote - minimum_out(quote, bps) - 1) * BPS <= quote * bps


@given(st.integers(min_value=-(10**40), max_value=10**40), st.integers(min_value=0, max_value=24))
def test_format_units_loses_no_digit(amount: int, decimals: int) -> None:
    text = format_units(amount, decimals)
    whole, _, fraction = text.partition(".")
    assert int(whole + fraction.ljust(decimals, "0")) == amount


@pytest.mark.parametrize(
    ("amount", "decimals", "places", "text"),
    [
        (34_150_000_000_000_000, 18, None, "0.03415"),
        (-5, 1, None, "-0.5"),
        (12_999, 3, 2, "12.99"),
        (7, 0, None, "7"),
    ],
)
def test_format_units(amount: int, decimals: int, places: int | None, text: str) -> None:
    assert format_units(amount, decimals, places) == text


def test_canonical_json_sorts_and_keeps_every_digit() -> None:
    assert canonical_json({"b": 2**256 - 1, "a": [None, True, "é"]}) == (
        b'{"a":[null,true,"\xc3\xa9"],"b":%d}' % (2**256 - 1)
    )
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [1.5, {"a": [2.0]}, b"x", {"a": {"b": b"x"}}, {1: 2}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_a_struct_with_a_float_inside_is_refused() -> None:
    class Holder(msgspec.Struct):
        rate: float

    with pytest.raises(TypeError, match="floats have no canonical form"):
        canonical_json(Holder(0.5))


def test_clock_moves_forward_only() -> None:
    clock = ManualClock(5)
    clock.set_ms(6)
    assert (clock.now_ms(), clock.monotonic_ns()) == (6, 6_000_000)
    with pytest.raises(ValueError, match="at least 6, was 5"):
        clock.set_ms(5)


def test_an_error_says_what_was_found_allowed_and_next() -> None:
    error = ConfigError(
        "slippage is out of range",
        code="ATM113",
        found="0 bps",
        allowed="1..300 bps",
        fix="raise it",
        position=SourcePosition("a.yaml", 3, 7),
    )
    assert str(error) == (
        "a.yaml:3:7: slippage is out of range; found: 0 bps; allowed: 1..300 bps; next: raise it"
    )
    assert error.as_record() == {
        "error": "ConfigError",
        "code": "ATM113",
        "message": "slippage is out of range",
        "found": "0 bps",
        "allowed": "1..300 bps",
        "next": "raise it",
        "position": "a.yaml:3:7",
    }


def test_exit_codes_are_the_contract() -> None:
    found = {
        one.__name__: one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, TidegateError)
    }
    assert found == {
        "TidegateError": 1,
        "ConfigError": 3,
        "Denied": 10,
        "Rejected": 1,
        "Ambiguous": 12,
        "Unavailable": 12,
        "Divergence": 13,
        "Tampered": 13,
        "Halted": 20,
    }


def test_every_error_stands_in_the_drawing_with_its_exit_code() -> None:
    drawing = errors.__doc__ or ""
    ours = [one for one in TidegateError.__subclasses__() if one.__module__ == errors.__name__]
    assert len(ours) == 8
    for one in ours:
        line = next(line for line in drawing.splitlines() if f" {one.__name__} " in line)
        assert line.endswith(f"exit {one.exit_code}")


def test_a_denial_carries_its_reason_as_code() -> None:
    assert Denied(Reason.BOUNDS, "too little").code == "bounds"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_meaning(reason: Reason) -> None:
    assert reason.meaning.endswith(".")


def test_a_plans_digest_is_what_the_transaction_gives() -> None:
    plan = Plan(
        intent_id="i",
        desk="atomic",
        chain_id=5,
        to=ZERO_ADDRESS,
        data=b"\x01",
        value_wei=3,
        gas_limit=9,
        max_fee_wei=2,
        max_priority_fee_wei=1,
        deadline_s=7,
        bounds=(),
        steps=(),
        program_hash="",
        at_risk_usd_e6=0,
        flow_usd_e6=0,
        prices_usd_e8={},
    )
    same = UnsignedTransaction(5, 77, ZERO_ADDRESS, b"\x01", 3, 9, 99, 98)
    assert same.content_digest == plan.digest
    for change in ({"data": b"\x02"}, {"value_wei": 4}, {"gas_limit": 10}, {"chain_id": 6}, {"to": None}):
        assert msgspec.structs.replace(same, **change).content_digest != plan.digest


def test_a_revert_reads_as_a_call() -> None:
    shown = str(Revert("custom", "DeltaTooLow", (("delta", -5), ("data", b"\x01"))))
    assert shown == "DeltaTooLow(delta=-5, data=0x01)"
    assert str(Revert("empty", "no reason")) == "no reason"
