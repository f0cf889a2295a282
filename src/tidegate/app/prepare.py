"""The last step of set-up: extract canonical artifacts, compile our contracts, cache the devnet.

``python -m tidegate.app.prepare`` is what ``scripts/setup.sh`` calls; what is in the cache already is
not made again, so a second call ends at once.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tidegate.app.cli.common import report_error
from tidegate.app.devnet import cached_devnet
from tidegate.model import TidegateError
from tidegate.sim import CONTRACTS, Artifacts, compile_contract


def prepare() -> None:
    """Make whatever is missing.

    Raises
    ------
    Unavailable
        If the npm packages are missing; names what still works.
    """
    with ThreadPoolExecutor(1) as beside:  # the other packages' compiler is another process
        artifacts = beside.submit(Artifacts.load)
        for source in sorted(CONTRACTS.rglob("*.vy")):
            started = time.monotonic()
            compile_contract(source)
            if time.monotonic() - started > 1:
                sys.stderr.write(f"set-up: compiled {source.name}\n")
        artifacts.result()
    cached_devnet()


def main() -> int:
    """Run ``prepare`` and return the exit code."""
    try:
        prepare()
    except TidegateError as error:
        return report_error(error, as_json=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
