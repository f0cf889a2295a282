"""``addresses`` of a file: names of its own beside those of the book."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.texts import HEAD, book, strategy

from tidegate.desks.atomic import Assignment
from tidegate.model import Address, ConfigError

WRAP = "{id: wrap, use: weth.deposit, in: {amount: 1 WETH}}"
ELSEWHERE = "0x17db8E4EFe9f5Fa57a0e9a0CdFe2FfEaa27AbcDe"
ROUTER = "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"


def assigned(entry: str) -> Assignment:
    """Return an assignment of a strategy that has one name of its own."""
    return Assignment(strategy(WRAP, f"{HEAD}addresses: {{{entry}}}\n"), book(), Address("0x" + "11" * 20))


def test_a_raw_address_is_a_name_with_its_source_and_unverified() -> None:
    entry = assigned(f"pool: {{address: '{ELSEWHERE}', source: https://example.org/pools}}").book.entry(
        "pool"
    )
    assert (entry.address, entry.source) == (ELSEWHERE, "https://example.org/pools")
    assert not entry.is_verified


def test_a_raw_address_that_the_book_knows_keeps_what_the_book_knows_of_it() -> None:
    job = assigned(f"mine: {{address: '{ROUTER}', source: somewhere}}")
    assert job.book.entry("mine").address == job.book.entry("uniswap_v3.router02").address
    assert job.book.entry("mine").source == job.book.entry("uniswap_v3.router02").source


def test_an_alias_is_what_the_book_has_under_its_own_name() -> None:
    job = assigned("mine: uniswap_v3.router02")
    assert job.book.entry("mine").address == ROUTER
    assert job.with_blind("size", 1).book.entry("mine").address == ROUTER


def test_a_name_of_the_book_may_be_said_again_but_never_changed() -> None:
    assert assigned("treasury: treasury").book.contracts == book().contracts
    with pytest.raises(ConfigError, match="treasury is a name of the address book") as caught:
        assigned(f"treasury: {{address: '{ELSEWHERE}', source: mine}}")
    assert (caught.value.code, caught.value.fix) == ("ATM112", "rename treasury")
    assert caught.value.position is not None


def test_an_alias_of_nothing_is_refused_where_it_stands() -> None:
    with pytest.raises(ConfigError) as caught:
        assigned("mine: uniswap_v3.router03")
    assert caught.value.code == "ATM111"
    assert "uniswap_v3.router02" in str(caught.value.fix)
    assert caught.value.position is not None
