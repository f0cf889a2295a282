"""The balance lines of a program: what the author bounds, and floor 0 for whatever else moves."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.names import Names, located
from tidegate.desks.atomic.machine.raw_calls import RAW_CALL, moved_by_raw
from tidegate.desks.atomic.machine.terms import OPEN_FLOOR, Closed, Terms
from tidegate.model import Bound, ConfigError
from tidegate.venues import Token
from tidegate.venues.executor import LINES_MAX, Line


def moved_tokens(steps: tuple[syntax.StepNode, ...], names: Names) -> dict[str, Token]:
    """Return, by symbol, every token whose balance a step or a loan may change."""
    found: dict[str, Token] = {}
    for step in syntax.walk(steps):
        tokens: Iterable[Token] = ()
        if isinstance(step, syntax.ActionStep):
            is_raw = step.use == RAW_CALL
            tokens = moved_by_raw(step, names) if is_raw else names.moved(names.spec(step), step)
        elif isinstance(step, syntax.FlashStep):
            with located(step.at("asset")):
                tokens = (names.book.token(step.asset),)
        found.update({token.symbol: token for token in tokens})
    return found


def bounds_of(strategy: syntax.Strategy, names: Names, terms: Terms) -> tuple[Bound, ...]:
    """Return the program's bounds, by token address ascending.

    A quote's floors are open, and it pays nothing out.

    Raises
    ------
    ConfigError
        ATM116 if there are more than eight.
    """
    tokens = moved_tokens(strategy.steps, names)
    paid_out = {bound.token for bound in strategy.bounds if bound.payout and isinstance(terms, Closed)}
    for bound in strategy.bounds:
        with located(bound.at("token")):
            tokens[bound.token] = names.book.token(bound.token)
    if isinstance(terms, Closed):
        tokens.update({symbol: names.book.token(symbol) for symbol in terms.floors})
    if len(tokens) > LINES_MAX:
        raise ConfigError(
            "too many tokens move",
            code="ATM116",
            found=f"{len(tokens)}: {', '.join(sorted(tokens))}",
            allowed=f"at most {LINES_MAX}",
            fix="split the strategy",
            position=strategy.at("bounds"),
        )
    ordered = sorted(tokens.items(), key=lambda item: int(item[1].address, 16))
    return tuple(
        Bound(
            token=token.address,
            symbol=symbol,
            decimals=token.decimals,
            floor=terms.floors.get(symbol, 0) if isinstance(terms, Closed) else OPEN_FLOOR,
            payout=symbol in paid_out,
        )
        for symbol, token in ordered
    )


def lines_of(bounds: tuple[Bound, ...]) -> tuple[Line, ...]:
    """Return the bounds as lines of a program."""
    return tuple(Line(token=item.token, floor=item.floor, payout=item.payout) for item in bounds)
