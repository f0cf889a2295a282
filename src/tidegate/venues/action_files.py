"""Read each protocol's ``actions.yaml``, and refuse one that contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import yaml

from tidegate.chain import selector
from tidegate.model import ConfigError
from tidegate.venues.actions import (
    ActionKind,
    ActionSpec,
    Input,
    InputType,
    Limit,
    LimitKind,
    Output,
    Spend,
    Word,
    WordSource,
)
from tidegate.venues.executor import ArgumentRule, RuleKind

PROTOCOLS = ("aave_v3", "erc20", "uniswap_v2", "uniswap_v3", "weth")
DEFAULT_CAP_KEY = 64


@cache
def catalogue() -> Mapping[str, ActionSpec]:
    """Return every action that ships, by name (``uniswap_v3.exact_input_single``), sorted."""
    specs: dict[str, ActionSpec] = {}
    for protocol in PROTOCOLS:
        text = (resources.files("tidegate.venues") / protocol / "actions.yaml").read_text("utf-8")
        for action, data in yaml.safe_load(text).items():
            name = f"{protocol}.{action}"
            specs[name] = parse_action(name, data)
    return dict(sorted(specs.items()))


def parse_action(name: str, data: Mapping[str, Any]) -> ActionSpec:
    """Return the spec that ``data``, one entry of an ``actions.yaml``, describes.

    Raises
    ------
    ConfigError
        If a key is unknown or the parts contradict each other; ``name`` stands in the message.
    """
    unknown = set(data) - _KEYS
    _need(not unknown, name, f"unknown key {', '.join(sorted(unknown))}")
    inputs = {key: _input(key, value) for key, value in data["inputs"].items()}
    words = tuple(_word(name, item, inputs) for item in data["words"])
    outputs = {key: Output(name=key, **value) for key, value in data.get("outputs", {}).items()}
    for output in outputs.values():
        sources = (output.word is not None, output.same_as is not None, output.gained)
        _need(sum(sources) == 1, name, f"output {output.name} has no one source")
        _need(output.same_as is None or output.same_as in inputs, name, f"no input {output.same_as}")
    spends = Spend(**data["spends"]) if "spends" in data else None
    if spends is not None:
        _need(spends.token in inputs, name, f"spends unknown {spends.token}")
        _need(spends.amount == "limit" or spends.amount in inputs, name, f"spends unknown {spends.amount}")
    spec = ActionSpec(
        name=name,
        signature=data["signature"],
        selector=selector(data["signature"]),
        kind=ActionKind(data["kind"]),
        target=data["target"],
        inputs=inputs,
        words=words,
        outputs=outputs,
        spends=spends,
        moves=tuple(data["moves"]),
        limit=_limit(name, data.get("limit"), words, outputs),
        value=data.get("value"),
        result_is_boolean=data.get("result") == "boolean",
        policy=tuple(parse_rule(name, text) for text in data["policy"]),
    )
    _need(all(rule.word < len(words) for rule in spec.policy), name, "a policy rule lies outside the words")
    editions = {key: _edition(name, data, key, changed) for key, changed in data.get("editions", {}).items()}
    return replace(spec, editions=editions)


_KEYS = {
    "target", "signature", "kind", "inputs", "words", "outputs", "spends", "moves", "limit", "value",
    "result", "policy", "editions",
}  # fmt: skip
_OF_AN_EDITION = {"signature", "words", "policy"}
_RULE = re.compile(r"(self|recipient|asset|cap|pin)@(\d+)(?:=(0x[0-9a-f]+|[0-9]+))?")


def _edition(name: str, data: Mapping[str, Any], key: str, changed: Mapping[str, Any]) -> ActionSpec:
    unknown = set(changed) - _OF_AN_EDITION
    _need(not unknown, name, f"edition {key} may not change {', '.join(sorted(unknown))}")
    common = {part: value for part, value in data.items() if part != "editions"}
    return parse_action(name, {**common, **changed})


def _need(holds: bool, name: str, problem: str) -> None:
    if not holds:
        raise ConfigError(f"action {name}: {problem}", fix="mend its actions.yaml")


def _input(name: str, data: str | Mapping[str, Any]) -> Input:
    if isinstance(data, str):
        return Input(name=name, type=InputType(data))
    return Input(
        name=name,
        type=InputType(data["type"]),
        of=data.get("of"),
        default=data.get("default"),
        most=data.get("most"),
        like=data.get("like"),
        required="default" not in data,
    )


def _word(name: str, item: Any, inputs: Mapping[str, Input]) -> Word:
    if isinstance(item, int):
        return Word(WordSource.CONSTANT, constant=item)
    if isinstance(item, dict):
        return _path(name, item, inputs)
    if item in inputs:
        return Word(WordSource.INPUT, inputs=(item,))
    _need(item in {"self", "limit", "deadline"}, name, f"word {item} is neither an input nor known")
    return Word(WordSource(item))


def _path(name: str, item: Mapping[str, Any], inputs: Mapping[str, Input]) -> Word:
    tokens = tuple(item.get("path") or item.get("packed") or ())
    fees = item.get("fees", "")
    used = (*tokens, fees) if fees else tokens
    _need(all(key in inputs for key in used), name, f"path of unknown inputs {list(used)}")
    if "path" in item:
        return Word(WordSource.PATH, inputs=tokens)
    return Word(WordSource.PACKED, inputs=tokens, fees=fees, backward=item.get("backward", False))


def _limit(
    name: str, data: Mapping[str, Any] | None, words: tuple[Word, ...], outputs: Mapping[str, Output]
) -> Limit | None:
    places = [index for index, word in enumerate(words) if word.source is WordSource.LIMIT]
    _need(len(places) == (data is not None), name, "a limit and exactly one limit word belong together")
    if data is None:
        return None
    _need(data["of"] in outputs, name, f"limits unknown output {data['of']}")
    return Limit(kind=LimitKind(data["kind"]), word=places[0], of=data["of"])


def parse_rule(name: str, text: str) -> ArgumentRule:
    """Return the argument rule that a text such as ``self@3`` or ``pin@1=0x80`` states.

    Raises
    ------
    ConfigError
        If it is none; ``name`` stands in the message.
    """
    match = _RULE.fullmatch(text)
    _need(match is not None, name, f"policy rule {text} is not KIND@WORD or KIND@WORD=VALUE")
    assert match is not None
    kind, word = RuleKind(match[1]), int(match[2])
    if match[3] is not None:
        return ArgumentRule(kind, word, int(match[3], 0))
    return ArgumentRule(kind, word, DEFAULT_CAP_KEY if kind is RuleKind.CAP else 0)
