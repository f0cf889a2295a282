from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.app.devnet import DEFAULT_CHAINS, ChainPlan, parse_chains
from tidegate.model import ConfigError


def test_chains_are_read_in_order() -> None:
    assert parse_chains("ethereum-dev:31337:12, base-dev:31338:0.25") == (
        ChainPlan("ethereum-dev", 31_337, 12.0),
        ChainPlan("base-dev", 31_338, 0.25),
    )
    assert parse_chains(DEFAULT_CHAINS) == (ChainPlan("devnet", 31_337, 12.0),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a chain"),
        ("a:1", "not a chain"),
        ("a:1:2:3", "not a chain"),
        ("a:1:2,", "not a chain"),
        ("A:1:2", "name"),
        ("../a:1:2", "name"),
        (f"{'a' * 33}:1:2", "name"),
        ("a:0:2", "not the id"),
        ("a:-1:2", "not the id"),
        ("a:²:2", "not the id"),
        (f"a:{2**53}:2", "not the id"),
        ("a:1:0", "block time"),
        ("a:1:0.01", "block time"),
        ("a:1:nan", "block time"),
        ("a:1:inf", "block time"),
        ("a:1:x", "block time"),
        ("a:1:1_0", "block time"),
        ("a:1: 2", "block time"),
        ("a:1:1e1", "block time"),
        ("a:1:٣", "block time"),
        ("a:1_0:2", "not the id"),
        (f"a:{'9' * 5_000}:2", "not the id"),
        ("a:1:3601", "block time"),
        ("a:1:2,a:2:2", "same"),
        ("a:1:2,b:1:2", "same"),
    ],
)
def test_what_is_no_chain_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        parse_chains(text)
    assert caught.value.allowed
    assert caught.value.fix


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True),
    st.integers(1, 2**53 - 1),
    st.floats(0.1, 3_600),
)
def test_every_plan_can_be_written(name: str, chain_id: int, block_time_s: float) -> None:
    assert parse_chains(f"{name}:{chain_id}:{block_time_s!r}") == (ChainPlan(name, chain_id, block_time_s),)


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    try:
        plans = parse_chains(text)
    except ConfigError:
        return
    assert plans
