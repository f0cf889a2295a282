"""``python -m tidegate`` is ``tidegate``."""

from tidegate.app.cli import main

main()
