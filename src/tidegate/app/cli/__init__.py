"""The command line: ``tidegate VERB``, one file per verb.

A verb's module exposes ``app`` (a Typer with sub-verbs) or ``command`` (a function). Only
the module of the verb that was typed is imported, so that the command line starts fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from tidegate import __version__
from tidegate.app.cli.common import report_error
from tidegate.model import TidegateError

_VERBS = {
    "demo": "Run the desks in paper on the devnet: every block, every decision, profit after gas.",
    "devnet": "Start, show, stop and export local chains with canonical contracts.",
    "strategy": "Write, check, explain, plan, simulate and run atomic strategies.",
    "journal": "Read, verify, replay and export the hash-chained journal.",
    "bench": "Measure, with the peer beside us in the same run.",
    "doctor": "Find what is missing or wrong on this machine before you do.",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code that its contract states."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    try:
        _build(arguments)(args=list(arguments), prog_name="tidegate")
    except TidegateError as error:
        return report_error(error, as_json="--json" in arguments)
    except SystemExit as stop:
        return _code_of(stop)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return 0


def _build(arguments: Sequence[str]) -> typer.Typer:
    root = typer.Typer(
        name="tidegate",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="Tidegate builds, proves and runs automated on-chain desks.",
    )

    @root.callback(invoke_without_command=True)
    def _root(
        version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    ) -> None:
        if version:
            sys.stdout.write(f"tidegate {__version__}\n")
            raise typer.Exit

    typed = next((word for word in arguments if not word.startswith("-")), None)
    for verb in [typed] if typed in _VERBS else _VERBS:
        module = import_module(f"tidegate.app.cli.{verb}")
        if hasattr(module, "app"):
            root.add_typer(module.app, name=verb, help=_VERBS[verb], no_args_is_help=True)
        else:
            root.command(name=verb, help=_VERBS[verb])(module.command)
    return root


def _code_of(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    return stop.code if isinstance(stop.code, int) else 1
