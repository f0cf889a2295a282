"""The composition root: configuration, loops, command line, demo, reports.

Only here are rooms put together; nothing imports this room. No rules and no maths of a
desk live here.
"""
