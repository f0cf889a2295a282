"""Registers: the lowest free one, taken back after the last use, sixteen at most."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tidegate.desks.atomic.machine.registers import RegisterPool
from tidegate.model import ConfigError


def test_the_lowest_free_register_is_handed_out_again() -> None:
    pool = RegisterPool()
    assert [pool.take() for _ in range(3)] == [0, 1, 2]
    pool.release(1)
    assert pool.take() == 1
    assert (pool.peak, pool.live) == (3, 3)


def test_a_register_is_free_after_its_last_holder() -> None:
    pool = RegisterPool()
    register = pool.take(2)
    pool.hold(register)
    for _ in range(2):
        pool.release(register)
        assert pool.take() != register
    pool.release(register)
    assert pool.take() == register


def test_the_seventeenth_live_register_is_refused() -> None:
    pool = RegisterPool()
    for _ in range(16):
        pool.take()
    with pytest.raises(ConfigError) as caught:
        pool.take()
    assert caught.value.code == "ATM115"


def test_literals_are_found_while_they_live() -> None:
    pool = RegisterPool()
    register = pool.take()
    pool.remember_literal(register, 7)
    assert (pool.find_literal(7), pool.find_literal(8)) == (register, None)
    pool.release(register)
    assert pool.find_literal(7) is None


@settings(deadline=None, derandomize=True)
@given(some.lists(some.integers(0, 3), max_size=60))
def test_no_register_has_two_owners(moves: list[int]) -> None:
    """Take with n holders, or release the oldest: whoever holds a register is alone on it."""
    pool, held = RegisterPool(), list[int]()
    for move in moves:
        if move and len(set(held)) < 16:
            register = pool.take(move)
            assert register not in held
            held += [register] * move
        elif held:
            pool.release(held.pop(0))
    assert pool.live == len(set(held))
