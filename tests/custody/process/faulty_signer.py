"""``tidegate signer run`` with one thing broken on purpose: FAULT, then the command line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from tidegate.app.cli import main
from tidegate.custody import server
from tidegate.custody.core import SignerCore
from tidegate.custody.requests import SignTransaction


def die_between_journal_and_answer() -> None:
    """The record is on disk, the signature never leaves."""
    handle = SignerCore.handle

    def handle_and_die(self: SignerCore, requests: Any, **how: Any) -> Any:
        answers = handle(self, requests, **how)
        if any(isinstance(one, SignTransaction) for one in requests):
            os.kill(os.getpid(), signal.SIGKILL)
        return answers

    SignerCore.handle = handle_and_die  # type: ignore[method-assign]


def raise_what_nobody_foresaw() -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError("a defect of ours")

    SignerCore.handle = fail  # type: ignore[method-assign]


def stop_while_a_request_is_in_hand() -> None:
    """SIGTERM arrives when the frame was read and not yet answered."""
    submit = server.SignerServer.submit

    def submit_and_stop(self: server.SignerServer, connection: Any, requests: Any) -> None:
        submit(self, connection, requests)
        if any(isinstance(one, SignTransaction) for one in requests):
            os.kill(os.getpid(), signal.SIGTERM)

    server.SignerServer.submit = submit_and_stop  # type: ignore[method-assign]


def lose_the_store() -> None:
    """The disk is full from the first signature on."""
    from tidegate.ledger import Journal
    from tidegate.model import RecordKind, Unavailable

    append_many = Journal.append_many

    def append_or_fail(self: Journal, entries: Any) -> Any:
        if any(entry.kind is RecordKind.ANSWER and entry.correlation_id for entry in entries):
            raise Unavailable("no space left on the device")
        return append_many(self, entries)

    Journal.append_many = append_or_fail  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "die": die_between_journal_and_answer,
    "defect": raise_what_nobody_foresaw,
    "stop": stop_while_a_request_is_in_hand,
    "store": lose_the_store,
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    main(sys.argv[2:])
