"""Write the generated pages of docs/reference anew, from the code that they describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tidegate.model import Reason, errors
from tidegate.pipeline import STAGES

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTICE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n"


def reasons() -> str:
    """Return the page of reason codes."""
    rows = "\n".join(f"| `{reason.value}` | {reason.meaning} |" for reason in Reason)
    return (
        "# Reasons for not acting\n\n"
        "Every refusal carries one of these codes, in the journal, in `--json` and in metrics. "
        "One condition has one code.\n\n"
        f"| code | meaning |\n|---|---|\n{rows}\n"
    )


def stages() -> str:
    """Return the page of the stage table."""
    rows = "\n".join(
        f"| {row.stage.value} | {row.events_from} | {row.plans_run_on} | {row.signs_with} | {row.sends_to} "
        f"| {row.to_enter} | {'yes' if row.walks else 'not yet'} |"
        for row in STAGES.values()
    )
    return (
        "# Stages\n\n"
        "The same desk code and the same street in every stage; this table is all that differs. "
        "A stage that this version can not walk is refused.\n\n"
        "| stage | events from | plans run on | signs with | sends to | to enter | can be walked |\n"
        f"|---|---|---|---|---|---|---|\n{rows}\n"
    )


def error_tree() -> str:
    """Return the page of the error tree and the exit codes."""
    drawing = (errors.__doc__ or "").split("::", 1)[1].rstrip()
    lines = "\n".join(line[4:] for line in drawing.splitlines() if line.strip())
    return (
        "# Errors and exit codes\n\n"
        "An error is named by what the operator must do about it. With `--json` it is one object: "
        "`error`, `code`, `message`, and where they add something `found`, `allowed`, `next`, "
        "`position`.\n\n"
        f"```text\n{lines}\n```\n\n"
        "Exit codes of every command: 0 done, 1 failed, 2 usage, 3 config, 10 blocked, 11 stale, "
        "12 unknown, 13 tampered, 20 halted; 130 interrupted.\n"
    )


PAGES: dict[str, Callable[[], str]] = {
    "reasons.md": reasons,
    "stages.md": stages,
    "errors.md": error_tree,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(f"{NOTICE}{page()}", encoding="utf-8")


if __name__ == "__main__":
    main()
