"""What is wrong on this machine before the user finds out, and what to do about it.

Looks and changes nothing. Called by ``tidegate doctor``.
"""

from tidegate.app.doctor.chains import look_at_chains
from tidegate.app.doctor.custody import look_at_custody
from tidegate.app.doctor.machine import look_at_machine
from tidegate.app.doctor.roles import look_at_roles
from tidegate.app.doctor.state import look_at_state

__all__ = ["look_at_chains", "look_at_custody", "look_at_machine", "look_at_roles", "look_at_state"]
