"""Executors on chains: deployed once, verified at any time, changed through their delay, kept in pairs.

Everything that is written before it is sent, so that a kill anywhere loses nothing and repeats nothing.
What widens goes to the owner's Safe as a proposal; what narrows, a guardian's key on this machine may send
at once. Called by the command line alone.
"""

from tidegate.app.deploying.acting import Actor, by_key, by_safe
from tidegate.app.deploying.addresses import Looked, Verdict, confirm, look_at_addresses
from tidegate.app.deploying.announced import PAUSED, Announcements
from tidegate.app.deploying.books import write_book
from tidegate.app.deploying.checks import Order, executor_names, is_of_desk, judge_order
from tidegate.app.deploying.files import Deployment, DeploymentFiles, Version
from tidegate.app.deploying.pairs import Pair, compare, switched
from tidegate.app.deploying.reading import Reading, read_executor
from tidegate.app.deploying.send import creation_terms, deploy, estimated, predicted
from tidegate.app.deploying.signers import deployer_address, deployer_signer
from tidegate.app.deploying.verify import TAMPERED, judge_executor, recorded

__all__ = [
    "PAUSED",
    "TAMPERED",
    "Actor",
    "Announcements",
    "Deployment",
    "DeploymentFiles",
    "Looked",
    "Order",
    "Pair",
    "Reading",
    "Verdict",
    "Version",
    "by_key",
    "by_safe",
    "compare",
    "confirm",
    "creation_terms",
    "deploy",
    "deployer_address",
    "deployer_signer",
    "estimated",
    "executor_names",
    "is_of_desk",
    "judge_executor",
    "judge_order",
    "look_at_addresses",
    "predicted",
    "read_executor",
    "recorded",
    "switched",
    "write_book",
]
