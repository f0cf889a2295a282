"""The address book: names that exist, names that do not, and its two forms."""

from __future__ import annotations

import pytest

from tidegate.model import ZERO_ADDRESS, ConfigError
from tidegate.venues import NATIVE, load_book

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ROUTER = "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"
EXECUTOR = "0x" + "e1" * 20
TEXT = f"""
chain = "ethereum"
chain_id = 1
[tokens.USDC]
address = "{USDC}"
decimals = 6
feed = "feed.USDC/USD"
[contracts."uniswap_v3.router02"]
address = "{ROUTER}"
[contracts."executor.main1"]
address = "{EXECUTOR}"
code_hash = "ab"
[contracts."feed.USDC/USD"]
address = "{USDC}"
heartbeat_s = 86400
[contracts."lender.one"]
address = "{ROUTER}"
protocol = "erc3156"
about = {{ note = "x" }}
"""


def test_a_book_is_read_written_and_read_again() -> None:
    book = load_book(TEXT)
    assert load_book(book.as_mapping()) == book
    assert book.token("USDC").decimals == 6
    assert book.entry("feed.USDC/USD").heartbeat_s == 86_400
    assert book.entry("lender.one").about == {"note": "x"}
    assert book.executors() == ("main1",)
    assert book.executor("main1").code_hash == "ab"


def test_the_native_coin_is_always_there_and_priced_as_weth() -> None:
    native = load_book(TEXT).token(NATIVE)
    assert (native.address, native.decimals, native.feed) == (ZERO_ADDRESS, 18, None)
    with_weth = load_book(TEXT).as_mapping()
    with_weth["tokens"]["WETH"] = {"address": ROUTER, "decimals": 18, "feed": "feed.ETH/USD"}
    assert load_book(with_weth).token(NATIVE).feed == "feed.ETH/USD"


def test_addresses_have_names() -> None:
    book = load_book(TEXT)
    assert book.name_of(USDC.lower()) == "USDC"
    assert book.name_of(EXECUTOR) == "executor.main1"
    assert book.name_of(ZERO_ADDRESS) == "ETH"
    assert book.name_of("0x" + "12" * 20) == "0x" + "12" * 20


@pytest.mark.parametrize(
    ("ask", "nearest"),
    [
        (lambda book: book.token("USDT"), "USDC"),
        (lambda book: book.entry("uniswap_v3.router"), "uniswap_v3.router02"),
        (lambda book: book.executor("main2"), "main1"),
    ],
)
def test_an_unknown_name_names_the_nearest(ask: object, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(load_book(TEXT))  # type: ignore[operator]
    assert caught.value.code == "ATM111"
    assert nearest in str(caught.value.fix)


def test_a_name_like_no_other_names_the_way_to_add_it() -> None:
    with pytest.raises(ConfigError, match="add QQQQ to the address book of ethereum"):
        load_book(TEXT).token("QQQQ")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("decimals = 6", "decimals = 6\ncolour = 1"),
        ("decimals = 6", 'decimals = "six"'),
        ('chain = "ethereum"', ""),
        (USDC, USDC.replace("A0b8", "a0b8")),
        ("chain_id = 1", "chain_id ="),
    ],
)
def test_a_wrong_book_is_refused(old: str, new: str) -> None:
    assert load_book(TEXT)
    with pytest.raises(ConfigError):
        load_book(TEXT.replace(old, new, 1))
