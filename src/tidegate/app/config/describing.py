"""Every key of ``tidegate.toml`` with its meaning, what is allowed, and its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

import msgspec

from tidegate.app.config.reading import allowed_of, key_types, unit_of
from tidegate.app.config.schema import Config
from tidegate.app.config.secrets import Secret, Url

REQUIRED = "none: it must be given"


class KeyPage(msgspec.Struct, frozen=True):
    """A key, with ``*`` where a person chooses a name and ``[]`` for an item of several."""

    key: str
    meaning: str
    allowed: str
    default: Any


def describe_keys() -> Iterator[KeyPage]:
    """Yield every key, in the order of the file's schema."""
    return _pages(Config, "")


def pattern_of(key: str) -> str:
    """Return a key with the person's own names taken out: ``chains.*.endpoints[].url``."""
    bare = re.sub(r"\[\d*\]", "[]", key)
    return re.sub(r"^(chains|desk\.atomic\.blinds)\.[^.\[]+", r"\1.*", bare)


def values_of(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a configuration with its value; a secret is its reference."""
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from values_of(getattr(value, field), f"{key}.{field}" if key else field)
    elif isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from values_of(inner, f"{key}.{name}")
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for index, item in enumerate(value):
            yield from values_of(item, f"{key}[{index}]")
    else:
        yield key, _plain(value)


def _pages(struct: type[msgspec.Struct], prefix: str) -> Iterator[KeyPage]:
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    for name, (hint, meaning) in key_types(struct).items():
        table, suffix = _table(hint)
        if table is not None:
            yield from _pages(table, f"{prefix}{name}{suffix}.")
            continue
        field = fields[name]
        given = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        default = REQUIRED if field.required else _plain(given)
        unit = unit_of(name)
        allowed = allowed_of(hint) + (f", in {unit}" if unit else "")
        yield KeyPage(f"{prefix}{name}{suffix}", meaning, allowed, default)


def _table(hint: Any) -> tuple[type[msgspec.Struct] | None, str]:
    """Return the table that a key holds, and how one of several is named."""
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    inside = [bare, *get_args(bare)]
    table = next((one for one in inside if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
    if get_origin(bare) is dict:
        return table, ".*"
    return table, "[]" if get_origin(bare) is tuple and table is not None else ""


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reference
    if isinstance(value, Url):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value
