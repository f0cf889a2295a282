"""Stopping and resuming by command: what is known of stops, how a person ends one, chains and signer.

``tidegate stop`` drops its file before it loads anything here: see ``risk.drop_stop``.
"""

from tidegate.app.stopping.freezing import freeze_signer, signer_socket
from tidegate.app.stopping.known import Known, journaled_now, known_now, until_gone
from tidegate.app.stopping.lifting import note_for, take_notes
from tidegate.app.stopping.pausing import Paused, pause_contracts

__all__ = [
    "Known",
    "Paused",
    "freeze_signer",
    "journaled_now",
    "known_now",
    "note_for",
    "pause_contracts",
    "signer_socket",
    "take_notes",
    "until_gone",
]
