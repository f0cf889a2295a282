"""No refusal, finding or exit code is without a line that says what to do."""

from __future__ import annotations

import re

import click
import pytest
from typer.main import get_command

from tidegate.app.cli import application
from tidegate.app.remedies import EXIT_CODES, FINDINGS, REASONS
from tidegate.desks.atomic import MEANINGS
from tidegate.model import Reason, TidegateError, errors

ALL_LINES = [*(line for _, line in EXIT_CODES.values()), *REASONS.values(), *FINDINGS.values()]


def test_every_reason_has_a_remedy() -> None:
    assert set(REASONS) == set(Reason)


def test_every_finding_has_a_remedy() -> None:
    assert list(FINDINGS) == list(MEANINGS)


def test_every_exit_code_of_an_error_has_a_remedy() -> None:
    raised = {
        one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, TidegateError)
    }
    assert raised <= set(EXIT_CODES)


@pytest.mark.parametrize("line", ALL_LINES)
def test_a_remedy_names_commands_that_exist(line: str) -> None:
    for named in re.findall(r"`tidegate ([a-z -]+?)(?: --| [A-Z]|`)", line):
        found = get_command(application([]))
        for word in named.split():
            if isinstance(found, click.Group):  # else the word is an argument, such as `newest`
                assert word in found.commands, f"tidegate {named}"
                found = found.commands[word]
