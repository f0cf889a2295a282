"""A run as one page of HTML, made from its journal alone.

The file needs no network, holds no script, follows the reader's light or dark, and is the same
byte for byte for the same journal and the same words about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tidegate.app.report.page import page
from tidegate.app.report.reading import read
from tidegate.ledger import JournalReader
from tidegate.model import Unavailable

__all__ = ["render_report"]


def render_report(reader: JournalReader, out_path: Path, meta: Mapping[str, str]) -> Path:
    """Verify the journal, write the report to ``out_path`` and return the path.

    Parameters
    ----------
    meta
        ``title``, and any other names of the run (seed, command, version) that the page shall show.

    Raises
    ------
    Tampered
        If the journal is not whole; nothing is written.
    Unavailable
        If the file cannot be written; an older one is left as it was.
    """
    text = page(read(reader), meta)
    partial = out_path.with_name(out_path.name + ".partial")
    try:
        out_path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(out_path)
    except OSError as error:
        raise Unavailable(
            f"the report cannot be written to {out_path}",
            found=str(error),
            fix="free space, or name another place",
        ) from error
    return out_path
