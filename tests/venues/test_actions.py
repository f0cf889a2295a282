"""The catalogue: what it says of each function is what the function's own ABI says."""

from __future__ import annotations

import copy
import re

import msgspec
import pytest
import yaml

from tidegate.chain import encode_call
from tidegate.model import ConfigError
from tidegate.venues import (
    EDITION,
    ActionKind,
    ActionSpec,
    Entry,
    InputType,
    WordSource,
    catalogue,
    edition_of,
    parse_action,
)
from tidegate.venues.editions import PUSH4

SPEC_WORDS = {
    "erc20.transfer": 0x2010000000000000011,
    "uniswap_v3.exact_input_single": 0x104030203010000000000000001,
    "uniswap_v3.exact_input": 0x103840281010000000000000001,
    "uniswap_v2.swap_exact_tokens_for_tokens": 0x10485030000000000000001,
    "aave_v3.borrow": 0x105400203010000000000000001,
}
"""Policy words of the atomic spec, section 4.6."""

EDITIONS = [edition for spec in catalogue().values() for edition in spec.all_editions]
IDS = [f"{edition.name} {edition.selector.hex()}" for edition in EDITIONS]
PAY_THE_CALLER = {ActionKind.WRAP, ActionKind.LIQUIDATE, ActionKind.POSITION, ActionKind.RESET}
"""What is paid to whoever calls, or pays nobody: there is no word that names a recipient."""


@pytest.mark.parametrize("name", sorted(SPEC_WORDS))
def test_policy_words_are_those_of_the_specification(name: str) -> None:
    assert catalogue()[name].permission.word == SPEC_WORDS[name]


def test_the_first_actions_are_there() -> None:
    names = set(catalogue())
    assert {"erc20.transfer", "weth.deposit", "weth.withdraw"} <= names
    assert {f"aave_v3.{verb}" for verb in ("supply", "withdraw", "borrow", "repay")} <= names
    assert {"uniswap_v3.exact_input_single", "uniswap_v3.exact_output_single"} <= names
    assert {"uniswap_v2.swap_exact_tokens_for_tokens", "uniswap_v2.swap_tokens_for_exact_tokens"} <= names


@pytest.mark.parametrize("spec", EDITIONS, ids=IDS)
def test_words_encode_as_the_abi_does(spec: ActionSpec) -> None:
    """Each word gets a number of its own; the library must put the same numbers in the same places."""
    words, arguments = _filled(spec)
    expected = encode_call(spec.signature, *arguments)
    assert spec.selector + b"".join(word.to_bytes(32) for word in words) == expected


@pytest.mark.parametrize("spec", EDITIONS, ids=IDS)
def test_every_action_is_consistent(spec: ActionSpec) -> None:
    assert (spec.limit is not None) == (spec.kind is ActionKind.SWAP)
    if spec.limit is not None:
        assert spec.words[spec.limit.word].source is WordSource.LIMIT
        assert spec.inputs[spec.amount_input].type is InputType.AMOUNT
    pays_somebody = spec.recipient_word is not None
    assert pays_somebody != (spec.kind in PAY_THE_CALLER)
    if pays_somebody:
        ruled = {rule.word for rule in spec.policy if rule.kind.value in {"self", "recipient"}}
        assert spec.recipient_word in ruled, "whoever receives is pinned on chain"
    for amount in spec.inputs.values():
        if amount.type is InputType.AMOUNT:
            assert amount.of in spec.inputs or amount.of in {"ETH", "WETH"}


@pytest.mark.parametrize("spec", EDITIONS, ids=IDS)
def test_every_offset_is_pinned(spec: ActionSpec) -> None:
    """Else an operator could move a struct and hide who receives in it."""
    is_dynamic = any(word.source in (WordSource.PATH, WordSource.PACKED) for word in spec.words)
    offsets = {
        (place, word.constant)
        for place, word in enumerate(spec.words)
        if word.source is WordSource.CONSTANT and is_dynamic
    }
    assert offsets == {
        (rule.word, rule.value) for rule in spec.policy if rule.kind.value == "pin" and is_dynamic
    }
    assert bool(offsets) == is_dynamic


def test_a_contract_speaks_the_edition_that_its_code_has() -> None:
    spec = catalogue()["uniswap_v3.exact_input_single"]
    old = b"\x60\x63" + spec.editions["swap_router"].selector
    assert edition_of("uniswap_v3.router", PUSH4 + old[2:]) == "swap_router"
    assert edition_of("uniswap_v3.router02", PUSH4 + old[2:]) == "swap_router", "the code says, not the name"
    assert edition_of("uniswap_v3.router", old[2:]) == "", "a selector that nothing is compared with"
    assert edition_of("uniswap_v3.router", PUSH4 + spec.selector) == ""
    assert edition_of("weth.weth9", PUSH4 + old[2:]) == ""


def test_a_book_entry_chooses_the_edition() -> None:
    spec = catalogue()["uniswap_v3.exact_output"]
    entry = Entry("uniswap_v3.router", "0x" + "11" * 20)
    assert spec.spoken_by(entry) is spec
    old = spec.spoken_by(msgspec.structs.replace(entry, about={EDITION: "swap_router"}))
    assert old.signature == "exactOutput((bytes,address,uint256,uint256,uint256))"
    assert (old.inputs, old.outputs, old.kind) == (spec.inputs, spec.outputs, spec.kind)


def test_a_path_of_six_is_the_longest_that_can_be_read_back() -> None:
    spec = catalogue()["uniswap_v2.swap_exact_tokens_for_tokens"]
    assert [spec.output_word("amount_out", length) for length in range(2, 7)] == [3, 4, 5, 6, 7]
    with pytest.raises(ConfigError, match="word 8") as caught:
        spec.output_word("amount_out", 7)
    assert caught.value.code == "ATM120"


def test_outputs_that_repeat_an_input_have_no_word_and_absent_ones_are_refused() -> None:
    spec = catalogue()["aave_v3.supply"]
    assert spec.output_word("amount") is None
    with pytest.raises(ConfigError) as caught:
        spec.output_word("shares")
    assert caught.value.allowed == "amount"
    with pytest.raises(ConfigError) as caught:
        catalogue()["erc20.transfer"].output_word("amount")
    assert "none" in str(caught.value.allowed)


def test_only_v2_takes_its_deadline_as_an_argument() -> None:
    assert catalogue()["uniswap_v2.swap_exact_tokens_for_tokens"].deadline_word == 4
    assert catalogue()["uniswap_v3.exact_input_single"].deadline_word is None


SOUND = yaml.safe_load("""
target: x.y
signature: swap(address,uint256,uint256)
kind: swap
inputs: {token: token, amount: {type: amount, of: token}}
words: [token, amount, limit]
outputs: {out: {word: 0, of: token}}
spends: {token: token, amount: amount}
moves: [token]
limit: {kind: minimum_out, of: out}
policy: [asset@0]
""")

BROKEN = [
    ({"color": "red"}, "unknown key color"),
    ({"words": ["token", "amount", "nobody"]}, "nobody is neither"),
    ({"words": ["token", "amount", 0]}, "exactly one limit word"),
    ({"words": ["token", {"path": ["stranger"]}, "limit"]}, "path of unknown inputs"),
    ({"limit": {"kind": "minimum_out", "of": "gone"}}, "unknown output gone"),
    ({"outputs": {"out": {"of": "token"}}}, "out has no one source"),
    ({"outputs": {"out": {"same_as": "gone", "of": "token"}}}, "no input gone"),
    ({"spends": {"token": "gone", "amount": "amount"}}, "spends unknown gone"),
    ({"spends": {"token": "token", "amount": "gone"}}, "spends unknown gone"),
    ({"policy": ["asset@3"]}, "outside the words"),
    ({"policy": ["everything"]}, "is not KIND@WORD"),
    ({"words": ["token", {"packed": ["token"], "fees": "gone"}, "limit"]}, "path of unknown inputs"),
    ({"outputs": {"out": {"gained": True, "word": 0, "of": "token"}}}, "out has no one source"),
    ({"editions": {"old": {"inputs": {}}}}, "edition old may not change inputs"),
]


def test_a_sound_action_is_read() -> None:
    spec = parse_action("x.swap", SOUND)
    assert (spec.name, spec.target, spec.limit.word if spec.limit else None) == ("x.swap", "x.y", 2)


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_an_action_that_contradicts_itself_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_action("x.swap", copy.deepcopy(SOUND) | change)


def _filled(spec: ActionSpec) -> tuple[list[int], list[object]]:
    """Return words as the compiler lays them out, and the same values as the ABI takes them."""
    path, packed = [0xA1, 0xA2, 0xA3], bytes(range(1, 67))
    types = re.findall(r"address\[\]|\w+", spec.signature.partition("(")[2])
    is_struct = "((" in spec.signature
    head = 1 if is_struct and "bytes" in types else 0  # the struct's own offset
    words: list[int] = []
    for place, word in enumerate(spec.words):
        if word.source is WordSource.CONSTANT:
            words.append(word.constant)
        elif word.source is WordSource.PATH:
            words += [len(path), *path]
        elif word.source is WordSource.PACKED:
            chunks = (packed[start : start + 32].ljust(32, b"\0") for start in range(0, len(packed), 32))
            words += [len(packed), *(int.from_bytes(chunk) for chunk in chunks)]
        else:
            words.append(1 if types[place - head] == "bool" else 0x10 + place)
    values: list[object] = []
    for kind, value in zip(types, words[head:], strict=False):
        if kind == "address[]":
            values.append([f"0x{token:040x}" for token in path])
        elif kind == "bytes":
            values.append(packed)
        elif kind == "bool":
            values.append(bool(value))
        else:
            values.append(f"0x{value:040x}" if kind == "address" else value)
    return words, [tuple(values)] if is_struct else values
