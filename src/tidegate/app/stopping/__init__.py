"""Stopping and resuming by command: what is known of stops, how a person ends one, contracts and signer.

``tidegate stop`` drops its file before it loads anything here (``risk.drop_stop``), and then only what it
needs: so this room has no front door of its own; each file says what it offers.
"""
