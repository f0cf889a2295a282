"""An explanation as a page of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from tidegate.desks.atomic.review.explain import ExplainedGuard, Explanation

WIDTH = 96


def as_text(explanation: Explanation) -> str:
    """Return the page that a reviewer reads and signs."""
    return "\n".join(_lines(explanation)) + "\n"


def _lines(it: Explanation) -> Iterator[str]:
    yield f"{it.name} on {it.chain}, by the executor {it.executor}"
    yield f"file digest {it.digest}"
    if it.note:
        yield from _paragraph(it.note, "")
    yield from _section("When", [it.when])
    yield from _section("Left open", it.blinds)
    yield ""
    yield "In one transaction, all of it or nothing"
    for step in it.steps:
        indent = "   " * (step.number.count(".") + 1)
        yield from _paragraph(f"{step.number} [{step.id}] {step.sentence}", indent)
        if step.note:
            yield from _paragraph(f"({step.note})", indent + "  ")
    yield ""
    yield "Tokens of the executor"
    tokens = list(dict.fromkeys(flow.token for flow in it.flow))
    for token in tokens:
        moves = ", ".join(
            f"{'+' if flow.direction == 'in' else '-'} {flow.amount} ({flow.step})"
            for flow in it.flow
            if flow.token == token
        )
        yield from _paragraph(f"{token}: {moves}", "   ")
    yield from _section("Who lends", it.lenders)
    yield from _section("It ends only if", it.bounds)
    yield from _section("Guards", [_guard(guard) for guard in it.guards] or ["None is written."])
    yield from _section("Guards that stand by themselves", [_guard(guard) for guard in it.automatic_guards])
    yield from _section("What reverts the run", it.reverts)
    yield from _section("What may be skipped", it.skips or ["Nothing."])
    yield from _section("Limits", it.limits)
    yield from _section("Who sees the bytes", it.exposure)
    yield from _section("At worst", it.worst)
    yield from _section("The program", it.program)


def _guard(it: ExplainedGuard) -> str:
    parameters = f" ({it.parameters})" if it.parameters else ""
    return f"{it.guard}{parameters}, over {it.covers}. If it does not hold: {it.on_failure}."


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    entries = list(items)
    if entries:
        yield ""
        yield title
        for entry in entries:
            yield from _paragraph(entry, "   ")


def _paragraph(text: str, indent: str) -> list[str]:
    return wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "    ", break_long_words=False
    ) or [indent.rstrip()]
