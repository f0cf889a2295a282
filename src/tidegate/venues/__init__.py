"""Protocol adapters as data plus thin code, a folder each. No I/O of their own, no loops, no state.

Each folder is a room of its own with its own front door; nothing is exported from here.
Desks, risk, custody and the pipeline may import them; a venue imports only rooms below.
"""
