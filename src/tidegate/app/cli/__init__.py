"""The command line: ``tidegate VERB``, one file per verb.

A verb's module exposes ``app`` (a Typer with sub-verbs) or ``command`` (a function). Only
the module of the verb that was typed is imported, so that the command line starts fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from typer.exceptions import TyperException

from tidegate import __version__
from tidegate.app.cli.common import report_error, usage_error
from tidegate.app.cli.crash import report_crash
from tidegate.app.cli.shape import VERBS, Verb, Verbs
from tidegate.app.cli.system import finish_output, have_output, report_refused
from tidegate.model import TidegateError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code that its contract states."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    have_output()
    sys.exit(finish_output(run_command(words), as_json="--json" in words))


def run_command(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    as_json = "--json" in arguments
    try:
        code = application(arguments)(args=list(arguments), prog_name="tidegate", standalone_mode=False)
    except TyperException as error:
        if not error.format_message():  # nothing was typed after a group's name: its help stands there
            return error.exit_code
        return report_error(usage_error(error), as_json=as_json)
    except TidegateError as error:
        return report_error(error, as_json=as_json)
    except SystemExit as stop:
        return _code_of(stop)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except OSError as error:
        return report_refused(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the front door: whatever comes here, nobody foresaw
        return report_crash(error, as_json=as_json)
    return code if isinstance(code, int) else 0


def application(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line with the verb that ``arguments`` name, or with all of them."""
    root = typer.Typer(
        name="tidegate",
        cls=Verbs,
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
    for verb in [typed] if typed in VERBS else VERBS:
        module = import_module(f"tidegate.app.cli.{verb}")
        if hasattr(module, "app"):
            for command in module.app.registered_commands:
                command.cls = Verb
            root.add_typer(module.app, name=verb, help=VERBS[verb], cls=Verbs, no_args_is_help=True)
        else:
            root.command(name=verb, short_help=VERBS[verb], cls=Verb)(module.command)
    return root


def _code_of(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    return stop.code if isinstance(stop.code, int) else 1
