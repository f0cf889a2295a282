"""The address books of the package: every entry has a source, a date and a form that can be checked."""

import re
from datetime import date

import pytest

from tidegate.chain import NETWORKS
from tidegate.venues import SHIPPED, load_book, parse_probe, shipped_book

EVERYWHERE = (
    "weth.weth9",
    "uniswap_v3.factory",
    "uniswap_v3.router02",
    "aave_v3.pool",
    "aave_v3.provider",
    "feed.ETH/USD",
    "safe.singleton",
    "safe.multi_send_call_only",
)


@pytest.fixture(params=SHIPPED)
def book(request):
    found = shipped_book(request.param)
    assert found is not None
    return found


def test_a_shipped_book_names_its_network_as_the_registry_does(book):
    assert NETWORKS[book.chain_id].name == book.chain


def test_every_shipped_address_has_a_source_and_a_date(book):
    for claim in book.claims():
        assert re.fullmatch(r"https://[\w.-]+/\S*", claim.source), claim.name
        assert date.fromisoformat(claim.date) <= date.today()


def test_no_shipped_address_claims_a_code_hash_that_nobody_has_read(book):
    assert [claim.name for claim in book.claims() if claim.is_verified or claim.confirmed] == []


def test_every_probe_of_a_shipped_book_can_be_asked_and_has_an_answer(book):
    for claim in book.claims():
        if claim.probe:
            assert parse_probe(claim.probe).data
            assert claim.answer, claim.name
    assert {claim.name for claim in book.claims() if not claim.probe} <= {
        *("safe.proxy_factory", "safe.multi_send", "safe.multi_send_call_only"),
        *("uniswap_v2.factory", "uniswap_v3.tick_lens"),
    }


def test_what_every_desk_needs_stands_in_every_shipped_book(book):
    assert [name for name in EVERYWHERE if name not in book.contracts] == []
    for symbol in ("WETH", "USDC"):
        feed = book.token(symbol).feed
        assert feed is not None
        assert book.entry(feed).heartbeat_s
    assert book.entry("weth.weth9").address == book.token("WETH").address


def test_answers_that_are_addresses_agree_with_the_book_itself(book):
    """A router's factory and a pool's provider are entries of the same book."""
    known = {claim.address for claim in book.claims()}
    for claim in book.claims():
        if claim.probe.endswith("(address)"):
            assert claim.answer in known, claim.name


def test_a_network_without_a_book_has_none():
    assert shipped_book("polygon") is None


def test_a_projects_own_entry_wins_over_the_shipped_one(book):
    own = load_book(
        {
            "chain": book.chain,
            "chain_id": book.chain_id,
            "tokens": {},
            "contracts": {
                "executor.main1": {"address": "0x" + "11" * 20},
                "weth.weth9": {"address": "0x" + "22" * 20, "code_hash": "ab"},
            },
        }
    )
    both = own.over(book)
    assert both.executors() == ("main1",)
    assert both.entry("weth.weth9").address == own.entry("weth.weth9").address
    assert both.entry("aave_v3.pool") == book.entry("aave_v3.pool")
    assert both.tokens == book.tokens
    assert own.over(None) is own


def test_a_confirmed_hash_belongs_to_its_name_alone(book):
    done = book.confirmed("USDC", code_hash="ab" * 32, note="ana, block 7")
    done = done.confirmed("aave_v3.pool", code_hash="cd" * 32, note="ana, block 7")
    changed = {one.name for one in done.claims() if one.is_verified}
    assert changed == {"USDC", "aave_v3.pool"}
    assert load_book(done.as_mapping()) == done
