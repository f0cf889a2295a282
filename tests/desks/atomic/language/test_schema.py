from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tidegate.desks.atomic import TEMPLATES, json_schema, template_text
from tidegate.desks.atomic.language.document import Content, Decimal, Scalar, Sequence, Table, parse_document
from tidegate.desks.atomic.language.schema import check_form
from tidegate.model import ConfigError

from .samples import ARB, FILE, LEND, changed
from .test_loader import BAD

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def as_json(content: Content) -> Any:
    """Return content as a JSON reader would see it."""
    match content:
        case Table():
            return {key: as_json(value) for key, value in content.entries.items()}
        case Sequence():
            return [as_json(item) for item in content.items]
        case Scalar(value=Decimal(text=text)):
            # A whole decimal is an integer to JSON Schema; to us it is not.
            return float(text) + 0.5 if float(text).is_integer() else float(text)
        case Scalar():
            return content.value


def verdicts(text: str) -> tuple[bool, bool]:
    """Return what the loader's form check and the published schema say of one file."""
    content = parse_document(text.encode(), FILE)
    return not check_form(content), VALIDATOR.is_valid(as_json(content))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize("text", [ARB, LEND, *(template_text(name) for name in TEMPLATES)])
def test_good_files_are_good_to_both(text: str) -> None:
    assert verdicts(text) == (True, True)


FORMS = [
    ("steps:", "steps: []\nstep:"),
    ("strategy: 1", "strategy: '1'"),
    ("executor: main1", "executor: 5"),
    ("tokens: [WETH, USDC]", "tokens: []"),
    ("tokens: [WETH, USDC]", "tokens: WETH"),
    ("blinds: {size:", "blinds: {Size:"),
    ("trigger: {every_block: {}, ", "trigger: {"),
    ("every_block: {}", "every_block: {}, manual: {}"),
    ("every_block: {}", "price: {pair: WETH/USDC, source: x}"),
    ("every_block: {}", "price: {pair: WETH/USDC, source: x, above: 1 USDC, below: 2 USDC}"),
    ("every_block: {}", "health_factor: {protocol: aave_v3, user: executor, below: low}"),
    ("every_block: {}", "any: []"),
    ("every_block: {}", "any: [{never: {}}]"),
    ("every_block: {}", "schedule: {cron: daily}"),
    ("{oracle_sanity:", "{oracle: {}, oracle_sanity:"),
    ("- {oracle_sanity: {pair: WETH/USDC, max_deviation: 100 bps}, ", "- {"),
    ("place: [pre, in]", "place: []"),
    ("pair: WETH/USDC", "pair: {a: b}"),
    ("provider: auto", "provider: []"),
    ("      asset: WETH\n", ""),
    ("slippage: 30 bps", "slippage: 30 bps\n          because: ''"),
    ("slippage: 30 bps", "slippage: 30 bps\n          policy: [anyone]"),
    ("fee: 500", "fee: {a: 1}"),
    ("- id: sell", "- flash: {}\n          id: sell"),
    ("deadline: 36 s", "deadline: 36 s\naddresses: {pool: {address: '0x12', source: a}}"),
    ("deadline: 36 s", "deadline: 36 s\naddresses: {pool: [a]}"),
    ("deadline: 36 s", "deadline: 36 s\nlimits: {max_in_flight: 9}"),
    ("deadline: 36 s", "deadline: 36 s\nonce: 1"),
    ("deadline: 36 s", "deadline: 36 s\nnote: ''"),
]


@pytest.mark.parametrize(("old", "new"), FORMS)
def test_bad_form_is_bad_to_both(old: str, new: str) -> None:
    assert verdicts(changed(ARB, (old, new))) == (False, False)


@pytest.mark.parametrize("row", BAD, ids=[row[1][:30] for row in BAD])
def test_the_loaders_corpus_has_the_same_form_to_both(row: tuple[str, ...]) -> None:
    loader, schema = verdicts(changed(ARB, (row[0], row[1])))
    assert loader == schema


def test_a_good_form_may_still_be_refused_for_its_meaning() -> None:
    assert verdicts(changed(ARB, ("[WETH, USDC]", "[WETH, USDX]"))) == (True, True)


VALUES = st.sampled_from(
    ["5", "-1", "1.5", "true", "null", "x", "WETH", "30 bps", "36 s", "$a.b", "[]", "[x, 5]", "{}", "{a: 1}",
     "0x" + "ab" * 20, "''", "1 WETH", "2 blocks", "{manual: {}}", "99999999999999999999999"]
)  # fmt: skip


@settings(deadline=None, derandomize=True, max_examples=300)
@given(data=st.data())
def test_any_value_anywhere_has_the_same_verdict_from_both(data: st.DataObject) -> None:
    lines = (ARB if data.draw(st.booleans()) else LEND).splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    if data.draw(st.booleans()):
        key, colon, _ = lines[index].partition(": ")
        lines[index] = f"{key}: {data.draw(VALUES)}" if colon else lines[index]
    else:
        del lines[index]
    with contextlib.suppress(ConfigError):  # not well-formed any more: there is no form to judge
        loader, schema = verdicts("\n".join(lines))
        assert loader == schema
