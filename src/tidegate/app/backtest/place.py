"""Where backtests write: a folder each, numbered; none is ever written over."""

from __future__ import annotations

import re
from pathlib import Path

from tidegate.model import Unavailable

_RUN = re.compile(r"run-[0-9]{4,9}")


def new_place(home: Path) -> Path:
    """Make and return the folder of a new run.

    Raises
    ------
    Unavailable
        If it can not be made.
    """
    folder = home / "backtest"
    numbers = [int(path.name[4:]) for path in folder.glob("run-*") if _RUN.fullmatch(path.name)]
    for number in range(max(numbers, default=0) + 1, max(numbers, default=0) + 1_000):
        place = folder / f"run-{number:04d}"
        try:
            place.mkdir(parents=True)
        except FileExistsError:
            continue  # somebody else began one at the same moment
        except OSError as error:
            raise Unavailable(
                f"{place} can not be made", found=str(error), fix="choose another TIDEGATE_HOME"
            ) from error
        return place
    raise Unavailable("no free folder", found=str(folder), fix="choose another TIDEGATE_HOME")
