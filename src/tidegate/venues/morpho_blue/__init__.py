"""Morpho Blue: lending markets in one contract, which lends what it holds for the length of a call.

Pure adapter: states come in, calls go out.
"""

from tidegate.venues.morpho_blue import events
from tidegate.venues.morpho_blue.deploy import MorphoBlue, deploy_morpho_blue
from tidegate.venues.morpho_blue.errors import ERROR_MEANINGS
from tidegate.venues.morpho_blue.lend import supply, withdraw

__all__ = ["ERROR_MEANINGS", "MorphoBlue", "deploy_morpho_blue", "events", "supply", "withdraw"]
