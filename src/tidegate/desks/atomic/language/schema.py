"""The form of a strategy file, declared once: the loader's first check and the published schema.

What depends on names, units or the order of steps is not form; the loader and the linter judge it.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from tidegate.desks.atomic.language.document import Content
from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.records import ByKey, Key, MapOf, Named, Record, Reference
from tidegate.desks.atomic.language.shapes import (
    ByKind,
    Choice,
    Either,
    ListOf,
    Number,
    Shape,
    Text,
    Truth,
    Whole,
)
from tidegate.desks.atomic.language.syntax import BlindType, OnFailure
from tidegate.model import UINT256_MAX

VERSION = 1
CHAINS = ("ethereum", "arbitrum", "optimism", "base", "sepolia", "devnet")
MAXIMUM_STEPS = 120
MAXIMUM_FINDINGS = 100
MAXIMUM_GAS = 2**24
"""EIP-7825: no transaction may have a higher gas limit."""

_NUMBER = r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
SLUG = r"[a-z](?:[a-z0-9]|[_-](?=[a-z0-9]))*"

slug = Text("a slug: small letters, digits, - and _, such as weth-usdc-arb", SLUG, 64)
token = Text("the name of a token, such as WETH", r"[A-Za-z][A-Za-z0-9_.]*", 32)
pair = Text("a pair of tokens, such as WETH/USDC", r"[A-Za-z][A-Za-z0-9_.]*/[A-Za-z][A-Za-z0-9_.]*", 65)
sentence = Text("text", r"[\s\S]*\S[\s\S]*", 2_000)
word = Text("a name", r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*", 120)
hex_address = Text("an address: 0x and 40 hex digits", r"0x[0-9a-fA-F]{40}", 42)
action_name = Text("adapter.action, such as weth.deposit", r"[a-z0-9_]+\.[a-z0-9_]+", 80)
policy_rule = Text("a rule, such as recipient@3 or pin@1=0x80", r"[a-z]+@\d+(=0x[0-9a-f]+)?", 40)
rate = Text("a rate with its unit, such as 30 bps or 0.3 %", _NUMBER + r"(?: +bps| *%)", 40)
fee = Text("a fee with its unit, such as 40 gwei", _NUMBER + r" +(?:gwei|wei)", 40)
duration = Text("a time with its unit, such as 36 s", _NUMBER + r" +(?:s|min|h|days?)", 40)
rest = Text("2 blocks or a time with its unit, such as 36 s", _NUMBER + r" +(?:blocks?|s|min|h|days?)", 40)
dollars = Text("dollars with their unit, such as 100 USD", _NUMBER + r" +USD", 40)
price = Text("a price in the pair's second token, such as 3000 USDC", _NUMBER + r" +[A-Za-z][\w.]*", 80)
base_units = Whole(-UINT256_MAX, UINT256_MAX)
_signed = Text("an amount with its token, such as 0.01 WETH", r"-?" + _NUMBER + r" +[A-Za-z][\w.]*", 120)
signed_amount = Either((_signed, base_units), "an amount with its token, such as 0.01 WETH, or base units")
expression = Either(
    (Text("an expression"), base_units),
    "an amount with its token, such as 1.5 WETH, a reference, such as $swap.amount_out, or base units",
)
_item = Either(
    (Text("text"), base_units, Number("a number"), Truth()),
    "a name, a quantity with its unit, a reference, a number, true or false",
)

_definitions: dict[str, Shape] = {}
steps = Reference("steps", _definitions)
value = Reference("value", _definitions)
guard = Reference("guard", _definitions)
trigger = Reference("trigger", _definitions)


_BLIND = Record(
    {
        "type": Key(Choice(tuple(BlindType)), required=True, code="ATM113", missing_code="ATM113"),
        "token": Key(token),
        "min": Key(_item),
        "max": Key(_item),
        "default": Key(_item),
        "search": Key(Truth()),
        "note": Key(sentence),
    }
)
_RAW_ADDRESS = Record({"address": Key(hex_address, required=True), "source": Key(sentence, required=True)})


_GAS = Record(
    {
        "max_gas": Key(Whole(50_000, MAXIMUM_GAS), required=True),
        "max_base_fee": Key(fee, required=True, code="ATM112"),
        "priority_fee": Key(fee, required=True, code="ATM112"),
        "margin": Key(rate, code="ATM112"),
    }
)
_BOUND = Record(
    {
        "token": Key(token, required=True),
        "min": Key(signed_amount, code="ATM112"),
        "net_of_gas": Key(Truth()),
        "payout": Key(Truth()),
    }
)
_LIMITS = Record(
    {
        "max_runs_per_hour": Key(Whole(1, 3_600)),
        "max_loss_per_day": Key(dollars, code="ATM112"),
        "max_in_flight": Key(Whole(1, 8)),
    }
)
_RELAY = Record(
    {
        "order": Key(ListOf(Choice(("bundle", "private", "public")), 1, 3)),
        "blocks": Key(Whole(1, 25)),
        "builders": Key(ListOf(word, 0, 16)),
        "allow_public": Key(Truth()),
    }
)


_TRIGGERS: dict[str, Shape] = {
    "every_block": Record({"interval": Key(Whole(1, 100_000))}),
    "price": Record(
        {
            "pair": Key(pair, required=True),
            "source": Key(word, required=True),
            "above": Key(price, code="ATM112"),
            "below": Key(price, code="ATM112"),
            "crosses": Key(price, code="ATM112"),
            "hysteresis": Key(rate, code="ATM112"),
        },
        one_of=("above", "below", "crosses"),
    ),
    "schedule": Record(
        {
            "cron": Key(
                Text("five cron fields, such as 0 */6 * * *", r"\S+(?: +\S+){4}", 100), required=True
            ),
            "tz": Key(word),
        }
    ),
    "health_factor": Record(
        {
            "protocol": Key(word, required=True),
            "user": Key(word, required=True),
            "above": Key(Number("a health factor, such as 1.25")),
            "below": Key(Number("a health factor, such as 1.25")),
        },
        one_of=("above", "below"),
    ),
    "manual": Record({}),
    "any": ListOf(trigger, 1, 8),
    "all": ListOf(trigger, 1, 8),
}

_ACTION = Record(
    {
        "id": Key(slug, required=True),
        "use": Key(action_name, required=True),
        "in": Key(MapOf(Text("the name of an input", r"[a-z][a-z0-9_]*", 64), value, 32)),
        "slippage": Key(rate, code="ATM112"),
        "accept_slippage": Key(sentence),
        "allow_opaque": Key(sentence),
        "because": Key(sentence),
        "policy": Key(ListOf(policy_rule, 0, 12)),
        "guards": Key(ListOf(guard, 0, 16)),
        "note": Key(sentence),
    }
)  # fmt: skip


_FLASH = Record(
    {
        "flash": Key(
            Record(
                {
                    "id": Key(slug, required=True),
                    "asset": Key(token, required=True),
                    "amount": Key(expression, required=True, code="ATM112"),
                    "provider": Key(ByKind(word, many=ListOf(word, 1, 8))),
                    "max_fee": Key(rate, code="ATM112"),
                    "steps": Key(steps, required=True),
                    "note": Key(sentence),
                }
            ),
            required=True,
        )
    }
)
_GROUP = Record(
    {
        "group": Key(
            Record(
                {
                    "id": Key(slug, required=True),
                    "optional": Key(Truth()),
                    "steps": Key(steps, required=True),
                    "guards": Key(ListOf(guard, 0, 16)),
                    "note": Key(sentence),
                }
            ),
            required=True,
        )
    }
)

_definitions["value"] = ByKind(_item, many=ListOf(value, 0, 16))
_definitions["guard"] = Named(
    {
        "place": Key(ListOf(Choice(("pre", "in", "post")), 1, 3)),
        "on_failure": Key(Choice(tuple(OnFailure))),
    },
    Text("the name of a guard, such as oracle_sanity", r"[a-z][a-z0-9_]*", 64),
    MapOf(Text("the name of a parameter", r"[a-z][a-z0-9_]*", 64), value, 16),
)
_definitions["trigger"] = ByKey(
    {name: Record({name: Key(shape, required=True)}) for name, shape in _TRIGGERS.items()},
    ", ".join(_TRIGGERS),
)
_definitions["steps"] = ListOf(
    ByKey({"use": _ACTION, "flash": _FLASH, "group": _GROUP}, "a step with use, flash or group"),
    1,
    MAXIMUM_STEPS,
)

_TRIGGER = ByKey(
    {
        name: Record({name: Key(shape, required=True), "cooldown": Key(rest, code="ATM112")})
        for name, shape in _TRIGGERS.items()
    },
    ", ".join(_TRIGGERS),
)

STRATEGY = Record(
    {
        "strategy": Key(Whole(VERSION, VERSION), required=True, code="ATM003", fix="write strategy: 1"),
        "name": Key(slug, required=True),
        "chain": Key(Choice(CHAINS), required=True),
        "executor": Key(slug, required=True),
        "tokens": Key(ListOf(token, 1, 32), required=True),
        "addresses": Key(MapOf(slug, ByKind(word, table=_RAW_ADDRESS))),
        "blinds": Key(MapOf(slug, _BLIND, 32)),
        "trigger": Key(_TRIGGER),
        "gas": Key(
            _GAS,
            required=True,
            missing_code="ATM103",
            fix="such as gas: {max_gas: 900000, max_base_fee: 40 gwei, priority_fee: 1 gwei}",
        ),
        "deadline": Key(
            duration,
            required=True,
            code="ATM112",
            missing_code="ATM104",
            fix="say until when a run may land: deadline: 36 s",
        ),
        "relay": Key(_RELAY),
        "bounds": Key(ListOf(_BOUND, 0, 8)),
        "limits": Key(_LIMITS),
        "once": Key(Truth()),
        "guards": Key(ListOf(guard, 0, 16)),
        "steps": Key(steps, required=True),
        "note": Key(sentence),
    }
)  # fmt: skip


def check_form(content: Content) -> list[Finding]:
    """Return the breaches of the form, in the order of the declaration, at most a hundred.

    A file of twenty thousand wrong keys is not worth twenty thousand searches for the nearest.
    """
    return list(islice(STRATEGY.check(content, "", "ATM002"), MAXIMUM_FINDINGS))


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a strategy file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tidegate strategy",
        "description": "What to do in one transaction, within which bounds, or not at all.",
        **STRATEGY.json_schema(),
        "$defs": {name: shape.json_schema() for name, shape in _definitions.items()},
    }
