"""Reading ``tidegate.toml``: strict, with the place of every value.

Each error names the key, what was found, what is allowed, and the line; an unknown key names the
nearest known one.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from tidegate.app.config.lines import lines_of
from tidegate.app.config.schema import Config
from tidegate.app.config.secrets import Secret, Url
from tidegate.model import ConfigError, SourcePosition

FILE_NAME = "tidegate.toml"
LARGEST_BYTES = 1_048_576
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Origin:
    """Which layer set a value: ``default``, ``file`` (with its line) or ``command line``."""

    layer: str
    position: SourcePosition | None = None

    def __str__(self) -> str:
        return self.layer if self.position is None else str(self.position)


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration, where it stands, and who set what.

    ``origins`` holds an entry for every key that is not at its default. Paths inside the file are
    relative to ``folder``.
    """

    config: Config
    path: Path | None
    origins: Mapping[str, Origin]

    @property
    def folder(self) -> Path:
        """Return the folder that the file's relative paths begin in."""
        return Path.cwd() if self.path is None else self.path.parent

    def origin(self, key: str) -> Origin:
        """Return who set ``key``."""
        return self.origins.get(key, Origin("default"))


def find_config(given: Path | None = None) -> Path | None:
    """Return the file that was given, else ``$TIDEGATE_CONFIG``, else ``./tidegate.toml`` if it is there."""
    if given is not None:
        return given.absolute()
    named = os.environ.get("TIDEGATE_CONFIG")
    if named:
        return Path(named).absolute()
    here = Path.cwd() / FILE_NAME
    return here if here.exists() else None


def load_config(path: Path | None, settings: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read a configuration file, and on top of it ``settings`` from the command line.

    Parameters
    ----------
    path
        The file, or None for the defaults alone.
    settings
        TOML values by dotted key: ``{"run.stage": "'fork'"}``; a bare word is taken as text.

    Raises
    ------
    ConfigError
        For the first thing that is wrong, with key, value, layer, and the nearest valid key.
    """
    tree: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    if path is not None:
        text = _read(path)
        tree = _parse(text, path)
        lines = lines_of(text)
        for key in _leaves(tree):
            line = lines.get(key, lines.get(key.rpartition(".")[0], 1))
            origins[key] = Origin("file", SourcePosition(path.name, line, 1))
    for key, value in (settings or {}).items():
        _put(tree, key, _value_of(value))
        origins[key] = Origin("command line")
    config = _struct(Config, tree, "", origins)
    return LoadedConfig(config, path, origins)


def key_types(struct: type[msgspec.Struct]) -> dict[str, tuple[Any, str]]:
    """Return the type and the meaning of each key of a table, in order."""
    found: dict[str, tuple[Any, str]] = {}
    for name, hint in get_type_hints(struct, include_extras=True).items():
        meaning = next((extra for extra in get_args(hint)[1:] if isinstance(extra, str)), "")
        found[name] = (hint, meaning)
    return found


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise ConfigError(
                f"{path.name} is too large", found="over 1 MiB", allowed=f"{LARGEST_BYTES} bytes"
            )
        return content.decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no {path}", found="no file", allowed="a configuration file", fix="tidegate init"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} can not be read", found=type(error).__name__, allowed="UTF-8 text"
        ) from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        tree = tomllib.loads(text.removeprefix("\ufeff"))  # some editors begin a file with this mark
        _demand_shallow(tree)
        return tree
    except RecursionError as error:
        raise ConfigError(
            f"{path.name} is nested too deeply",
            code="config_syntax",
            found=f"more than {_DEEPEST} tables in each other",
            allowed=f"at most {_DEEPEST}",
            fix="tidegate config show names all keys",
        ) from error
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        raise ConfigError(
            f"{path.name} is no TOML",
            code="config_syntax",
            found=str(error).partition("; use sys.")[0],
            fix="mend the line that is named, or take out the number that is too long",
        ) from error


def _demand_shallow(value: Any, depth: int = 0) -> None:
    """Raise ``RecursionError`` for what nobody writes by hand: what follows walks the tree by recursion."""
    if depth > _DEEPEST:
        raise RecursionError(depth)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _demand_shallow(one, depth + 1)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            found += _leaves(value, f"{key}.")
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                found += _leaves(item, f"{key}[{index}].")
        else:
            found.append(key)
    return found


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for name in tables:
        inner = tree.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{key} can not be set", found=f"{name} is no table", allowed="TABLE.KEY=VALUE")
        tree = inner
    tree[last] = value


def _value_of(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
        _demand_shallow(read)
    except (ValueError, RecursionError):
        return text
    # More than one key means that what stands behind a line's end would be lost without a word.
    return read["value"] if len(read) == 1 else text


def _struct(struct: type[Any], tree: Any, prefix: str, origins: Mapping[str, Origin]) -> Any:
    where = prefix.rstrip(".")
    if not isinstance(tree, dict):
        raise _refused(where, tree, "a table", origins)
    known = key_types(struct)
    for name in tree:
        if name not in known:
            raise _unknown(f"{prefix}{name}", name, list(known), origins)
    values = {name: _value(known[name][0], value, f"{prefix}{name}", origins) for name, value in tree.items()}
    missing = [
        field.name for field in msgspec.structs.fields(struct) if field.required and field.name not in values
    ]
    if missing:
        raise _missing(where, missing[0], known[missing[0]][1], prefix, origins)
    return struct(**values)


def _value(hint: Any, value: Any, key: str, origins: Mapping[str, Origin]) -> Any:
    bare = _without_extras(hint)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return _struct(bare, value, f"{key}.", origins)
    arguments = get_args(bare)
    if get_origin(bare) is dict and isinstance(value, dict):
        return {name: _value(arguments[1], inner, f"{key}.{name}", origins) for name, inner in value.items()}
    if get_origin(bare) is tuple and isinstance(value, list):
        return tuple(
            _value(arguments[0], item, f"{key}[{index}]", origins) for index, item in enumerate(value)
        )
    if bare in (Url, Secret) and isinstance(value, str):
        return _reference(bare, value, key, origins)
    try:
        return msgspec.convert(value, hint, strict=True, dec_hook=_no_text)
    except msgspec.ValidationError as error:
        raise _refused(key, value, allowed_of(hint), origins) from error


def _reference(kind: Any, value: str, key: str, origins: Mapping[str, Origin]) -> Any:
    try:
        return kind(value)
    except ConfigError as error:
        raise ConfigError(
            f"{key}: {error.message}",
            code=error.code,
            found=error.found,
            allowed=error.allowed,
            fix=error.fix,
            position=_position(key, origins),
        ) from error


def _no_text(_: type, __: Any) -> Any:
    raise ValueError("text")


def _without_extras(hint: Any) -> Any:
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(bare) in (Union, types.UnionType):
        options = [option for option in get_args(bare) if option is not type(None)]
        if len(options) == 1:
            return _without_extras(options[0])
    return bare


def allowed_of(hint: Any) -> str:
    """Return in words what a key may be."""
    bare = _without_extras(hint)
    if isinstance(bare, type) and issubclass(bare, Enum):
        return ", ".join(str(member.value) for member in bare)
    if bare in (Url, Secret):
        plain = "a URL of this machine, or " if bare is Url else ""
        return f"{plain}a reference: env:NAME, file:PATH, command:WORDS"
    if get_origin(bare) is tuple:
        return f"a list; each {allowed_of(get_args(bare)[0])}"
    if get_origin(bare) is dict:
        return f"a table; each value {allowed_of(get_args(bare)[1])}"
    return _PLAIN[bare] + _range_of(hint)


def _range_of(hint: Any) -> str:
    for extra in _extras(hint):
        if extra.pattern is not None:
            return f" like {extra.pattern}"
        low = f" from {extra.ge}" if extra.ge is not None else ""
        low = f" above {extra.gt}" if extra.gt is not None else low
        return low + (f" to {extra.le}" if extra.le is not None else "")
    return ""


def _extras(hint: Any) -> list[msgspec.Meta]:
    found = [extra for extra in get_args(hint)[1:] if isinstance(extra, msgspec.Meta)]
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if not found and get_origin(inner) in (Union, types.UnionType):
        return [extra for option in get_args(inner) for extra in _extras(option)]
    return found


_PLAIN: dict[Any, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _refused(key: str, value: Any, allowed: str, origins: Mapping[str, Origin]) -> ConfigError:
    unit = unit_of(key)
    layer = origins.get(key, Origin("file"))
    return ConfigError(
        f"{key} has a value that it can not have",
        code="config_value",
        found=f"{_shown(value)} (from {layer})",
        allowed=allowed + (f"; the number counts {unit}" if unit else ""),
        fix=f"tidegate config explain {key}",
        position=_position(key, origins),
    )


def _unknown(key: str, name: str, known: list[str], origins: Mapping[str, Origin]) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"did you mean {key.removesuffix(name)}{near[0]}?" if near else ""
    return ConfigError(
        f"{key} is not a key",
        code="config_unknown_key",
        found=name,
        allowed=", ".join(known),
        fix=meant or "tidegate config show names all keys",
        position=_position(key, origins),
    )


def _missing(where: str, name: str, meaning: str, prefix: str, origins: Mapping[str, Origin]) -> ConfigError:
    near = next((origin.position for key, origin in origins.items() if key.startswith(prefix)), None)
    return ConfigError(
        f"{where} lacks {name}",
        code="config_missing_key",
        found="no such key",
        allowed=f"{name}: {meaning}",
        position=near,
    )


def _position(key: str, origins: Mapping[str, Origin]) -> SourcePosition | None:
    for candidate in (key, *(name for name in origins if name.startswith((f"{key}.", f"{key}[")))):
        if candidate in origins:
            return origins[candidate].position
    parent = key.rpartition("[")[0]
    return origins[parent].position if parent in origins else None


_UNITS = {
    "_per_s": "calls a second",
    "_ms": "milliseconds",
    "_s": "seconds",
    "_wei": "wei",
    "_bps": "hundredths of a percent",
    "_usd": "whole US dollars",
    "_blocks": "blocks",
}


def unit_of(key: str) -> str:
    """Return what a key counts, by its ending; empty if it names no unit."""
    name = key.rpartition(".")[2]
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        # What was meant to be a URL or a secret may hold a key.
        return (
            repr(value) if len(value) < 40 and "://" not in value and "@" not in value else "text (not shown)"
        )
    return repr(value) if isinstance(value, (int, float, bool)) else type(value).__name__
