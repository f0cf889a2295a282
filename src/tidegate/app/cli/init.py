"""``tidegate init``: a folder that runs in paper at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, emit
from tidegate.app.config import FILE_NAME, STRATEGY, TEXT
from tidegate.desks.atomic import template_text
from tidegate.model import ConfigError, Unavailable

_IGNORED = ".tidegate/\nsecrets/\n"


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where; made if it is not there.")
    ] = Path(),
    as_json: JsonFlag = False,
) -> None:
    """Write a commented tidegate.toml and a strategy; nothing that is there is changed."""
    files = {FILE_NAME: TEXT, STRATEGY: template_text("flash-arb"), ".gitignore": _IGNORED}
    if (folder / FILE_NAME).exists():
        raise ConfigError(
            f"{folder / FILE_NAME} is there already",
            found="a configuration",
            allowed="a folder without one",
            fix="tidegate config check; or name another folder",
        )
    written = []
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                continue
            path.write_text(text, encoding="utf-8")
            written.append(name)
    except OSError as error:
        raise Unavailable(
            f"{folder} can not be written", found=str(error), fix="choose a folder of your own"
        ) from error
    here = folder.resolve() == Path.cwd()
    steps = [*([] if here else [f"cd {folder}"]), "tidegate doctor", "tidegate run --blocks 20"]
    value = {"folder": str(folder.resolve()), "written": written, "next": steps}

    def render(out: Console) -> None:
        for name in written:
            out.print(f"wrote {folder / name}")
        out.print("next:")
        for step in steps:
            out.print(f"  {step}")

    emit(value, as_json=as_json, render=render)
