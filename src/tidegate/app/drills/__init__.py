"""Drills: what must hold on a bad day, played through on a good one, timed, and written down.

Each runs in a world of its own, on a node that it starts and in a folder that it throws away: nothing of
the project is touched but the ledger, which gets the record.
"""

from tidegate.app.drills.attack import AttackDrill, AttackRow, drill_attack, shown
from tidegate.app.drills.executor import drill_executor
from tidegate.app.drills.kill import drill_kill
from tidegate.app.drills.light import Light, light_street
from tidegate.app.drills.restore import drill_restore
from tidegate.app.drills.rpc_failover import drill_rpc_failover
from tidegate.app.drills.stop import StopDrill, drill_stop
from tidegate.app.drills.stop_live import LiveStopDrill, drill_stop_live

__all__ = [
    "AttackDrill",
    "AttackRow",
    "Light",
    "LiveStopDrill",
    "StopDrill",
    "drill_attack",
    "drill_executor",
    "drill_kill",
    "drill_restore",
    "drill_rpc_failover",
    "drill_stop",
    "drill_stop_live",
    "light_street",
    "shown",
]
