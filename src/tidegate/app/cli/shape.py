"""The shape of every verb in ``--help``: arguments in capitals, flags without a type, one order.

Nothing here changes what a command line means; only how it is shown.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

VERBS = {
    "demo": "Run the desks in paper on the devnet: every block, every decision, profit after gas.",
    "init": "Write a commented tidegate.toml and a strategy that run in paper at once.",
    "doctor": "Find what is missing or wrong on this machine before you do.",
    "config": "Show, check and explain the configuration.",
    "devnet": "Start, show, stop and export local chains with canonical contracts.",
    "strategy": "Write, check, explain, plan, simulate and run atomic strategies.",
    "desk": "A desk's own verbs: tidegate desk NAME verb.",
    "run": "Run the configured desk in any stage, block by block.",
    "backtest": "Record a tape of states and decide on it again, offline.",
    "stop": "Stop at once what a scope covers, over restarts, until people resume it.",
    "resume": "End a stop, a latched breaker or a halt: who, why, on what evidence.",
    "drill": "Play a bad day through, timed, in a world of its own, and write it down.",
    "signer": "Run the process that holds the keys, and its witness; load, freeze, revoke.",
    "keys": "Make, import, list and check key files.",
    "safe": "Show, propose, sign, simulate and execute what a Safe does.",
    "deploy": "Put executors onto chains: checked, sent once, compared with the build.",
    "verify": "Hold executors and addresses against the build, the book and the chain.",
    "journal": "Read, verify, replay and export the hash-chained journal.",
    "backup": "Copy the ledger while it is written to, with digests, verified.",
    "restore": "Make a home out of a backup: verified, and stopped.",
    "bench": "Measure, with the peer beside us in the same run.",
}
"""The verbs in the order of every list, with what they do."""


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
    """A group of commands. The first verbs stand as in ``VERBS``, verbs of a verb as they were written."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, ``--help`` with them; a flag takes no value, so it shows no type."""
        return _without_flag_types(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order in which people see them."""
        names = super().list_commands(ctx)
        if self.name != "tidegate":
            return names
        return sorted(names, key=list(VERBS).index)


def _without_flag_types(parameters: list[Any]) -> list[Any]:
    for item in parameters:
        if getattr(item, "is_flag", False):
            item.metavar = ""
    return parameters
