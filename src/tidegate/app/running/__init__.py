"""``tidegate run``: one desk on one chain in one stage, from the start to a graceful end.

``Site`` is where it works, ``Safety`` what may say no, ``assemble`` puts desk and street between them, and
``Runner`` is the loop. All stages share all of it; what differs stands in the stage table.
"""

from tidegate.app.running.assemble import assembled
from tidegate.app.running.endpoints import Pools
from tidegate.app.running.runner import Hooks, Runner, Until
from tidegate.app.running.safety import Safety, Splits, limit_table
from tidegate.app.running.sites import Site, fork_site, live_site, paper_site
from tidegate.app.running.start import RunSettings, run_desk

__all__ = [
    "Hooks",
    "Pools",
    "RunSettings",
    "Runner",
    "Safety",
    "Site",
    "Splits",
    "Until",
    "assembled",
    "fork_site",
    "limit_table",
    "live_site",
    "paper_site",
    "run_desk",
]
