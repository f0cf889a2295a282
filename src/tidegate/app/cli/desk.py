"""``tidegate desk NAME verb``: a desk's own verbs."""

from __future__ import annotations

import typer

from tidegate.app.cli import desk_atomic, desk_incident
from tidegate.app.cli.shape import Verb, Verbs

app = typer.Typer()

for _command in (*desk_atomic.app.registered_commands, *desk_incident.app.registered_commands):
    _command.cls = Verb
desk_atomic.app.add_typer(desk_incident.app, name="incident", cls=Verbs, no_args_is_help=True)
app.add_typer(
    desk_atomic.app,
    name="atomic",
    help="Executors of the atomic desk: pairs, changes that wait, emergencies.",
    cls=Verbs,
    no_args_is_help=True,
)
