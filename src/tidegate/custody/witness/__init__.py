"""The witness: a second small process with read-only pools and no keys, which the signer asks.

The worker is not trusted and the signer has no network, so what must be known of a chain (the code
of a target; later a group's locks, a price ceiling) comes from here, under another user.
"""

from tidegate.custody.witness.questions import Answer, Balance, Call, CodeHash, Question, Read, Unread
from tidegate.custody.witness.reading import WitnessedChain
from tidegate.custody.witness.service import WitnessService
from tidegate.custody.witness.view import Subject, WitnessView

__all__ = [
    "Answer",
    "Balance",
    "Call",
    "CodeHash",
    "Question",
    "Read",
    "Subject",
    "Unread",
    "WitnessService",
    "WitnessView",
    "WitnessedChain",
]
