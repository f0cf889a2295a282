"""``make mutants``: change the executor in every way that the rules know, and see a test fail each time.

Exit 1 if a mutant survives: its line is held by no test. One that can not be killed needs a proof in
``equivalent.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from tests.contracts.mutants.equivalent import proof_of
from tests.contracts.mutants.hunt import Verdict, hunt
from tests.contracts.mutants.rules import Mutant, mutants

from tidegate.sim import CONTRACTS


def main() -> int:
    """Hunt, print, and return the exit code."""
    arguments = _arguments()
    source = (CONTRACTS / "atomic_executor.vy").read_text()
    chosen = [mutant for mutant in mutants(source) if arguments.only in mutant.name]
    equal = [mutant for mutant in chosen if proof_of(mutant)]
    hunted = [mutant for mutant in chosen if not proof_of(mutant)]
    verdicts: list[Verdict] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("mutants", total=len(hunted))

        def tell(verdict: Verdict) -> None:
            verdicts.append(verdict)
            progress.update(task, advance=1)

        hunt(hunted, processes=arguments.processes, tell=tell, fresh=arguments.fresh)
    survivors = [verdict for verdict in verdicts if verdict.survived]
    if arguments.json:
        _print_json(verdicts, equal)
    else:
        _print(Console(), {mutant.name: mutant for mutant in hunted}, verdicts, equal)
    return 1 if survivors or len(verdicts) < len(hunted) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--processes", type=int, default=2, help="how many mutants at a time")
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants whose name has this text")
    parser.add_argument("--fresh", action="store_true", help="judge anew what is known")
    parser.add_argument("--json", action="store_true", help="print one JSON object, for machines")
    return parser.parse_args()


def _print(out: Console, known: dict[str, Mutant], verdicts: list[Verdict], equal: list[Mutant]) -> None:
    table = Table("line", "mutant", "killed by", box=None)
    for verdict in sorted(verdicts, key=lambda verdict: known[verdict.name].line):
        killer = verdict.killer.removeprefix("tests/") or ("SURVIVED" if verdict.compiles else "no program")
        table.add_row(str(known[verdict.name].line), verdict.name, killer)
    for mutant in equal:
        proof = proof_of(mutant)
        assert proof is not None
        table.add_row(str(mutant.line), mutant.name, f"the same contract: {proof.proof}")
    out.print(table, markup=False)
    counts = _counts(verdicts, equal)
    out.print(", ".join(f"{count:,} {what}" for what, count in counts.items()), markup=False)


def _print_json(verdicts: list[Verdict], equal: list[Mutant]) -> None:
    survivors = [verdict.name for verdict in verdicts if verdict.survived]
    found = {"ok": not survivors, **_counts(verdicts, equal), "survivors": survivors}
    sys.stdout.write(json.dumps(found) + "\n")


def _counts(verdicts: list[Verdict], equal: list[Mutant]) -> Counter[str]:
    return Counter(
        {
            "mutants": len(verdicts) + len(equal),
            "killed": sum(1 for verdict in verdicts if verdict.killer),
            "survived": sum(1 for verdict in verdicts if verdict.survived),
            "equal": len(equal),
            "no program": sum(1 for verdict in verdicts if not verdict.compiles),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
