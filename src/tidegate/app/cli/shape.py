"""The shape of every verb in ``--help``: arguments in capitals, flags without a type, one order.

Nothing here changes what a command line means; only how it is shown.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

ORDER = ("demo", "devnet", "strategy", "journal", "bench", "doctor")
"""The verbs, as they stand in every list."""


class Verb(TyperCommand):
    """A command whose usage line reads ``tidegate VERB [OPTIONS] FILE...``."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, ``--help`` with them; a flag takes no value, so it shows no type."""
        return _without_flag_types(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the verb; one that may be left out stands in brackets."""
        arguments = [item for item in self.get_params(ctx) if item.param_type_name == "argument"]
        names = [item.metavar or item.name.upper() for item in arguments]
        words = [name if item.required else f"[{name}]" for name, item in zip(names, arguments, strict=True)]
        return ["[OPTIONS]", *words]


class Verbs(TyperGroup):
    """A group of commands. The first verbs stand in ``ORDER``, others as they were written."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, ``--help`` with them; a flag takes no value, so it shows no type."""
        return _without_flag_types(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order in which people see them."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def _without_flag_types(parameters: list[Any]) -> list[Any]:
    for item in parameters:
        if getattr(item, "is_flag", False):
            item.metavar = ""
    return parameters
