"""Probes: a view as text in the book, and its answer as text."""

import pytest

from tidegate.chain import address, encode_arguments, selector
from tidegate.model import ConfigError, Divergence
from tidegate.venues import parse_probe

ANY = address(0xAB)


@pytest.mark.parametrize(
    ("text", "data", "output"),
    [
        ("factory()(address)", selector("factory()"), "address"),
        (
            "feeAmountTickSpacing(uint24=3000)(int24)",
            selector("feeAmountTickSpacing(uint24)") + (3000).to_bytes(32),
            "int24",
        ),
        (
            f"getReserve(address={ANY}, bool=true)(uint256)",
            selector("getReserve(address,bool)") + encode_arguments(("address", "bool"), (ANY, True)),
            "uint256",
        ),
    ],
)
def test_a_probe_is_a_call_with_its_arguments(text, data, output):
    probe = parse_probe(text)
    assert (probe.data, probe.output) == (data, output)


@pytest.mark.parametrize(
    "text",
    ["", "factory", "factory()", "factory()()", "f(uint24)(int24)", "f(string=x)(int24)", "f()(int24) x"],
)
def test_what_is_no_probe_is_refused(text):
    with pytest.raises(ConfigError, match="not a probe"):
        parse_probe(text)


def test_an_argument_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="not a number"):
        parse_probe("f(uint24=three)(int24)")


@pytest.mark.parametrize(
    ("output", "value", "shown"),
    [
        ("address", ANY, str(ANY)),
        ("uint8", 18, "18"),
        ("int24", -60, "-60"),
        ("bool", True, "true"),
        ("bool", False, "false"),
        ("string", "ETH / USD", "ETH / USD"),
        ("bytes32", bytes(31) + b"\x01", "0x" + "00" * 31 + "01"),
    ],
)
def test_an_answer_reads_as_the_book_writes_it(output, value, shown):
    assert parse_probe(f"f()({output})").read(encode_arguments((output,), (value,))) == shown


def test_an_account_without_code_gives_no_answer():
    with pytest.raises(Divergence):
        parse_probe("factory()(address)").read(b"")
