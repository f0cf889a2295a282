"""Desks decide: feeds to intents, intents to plans.

No I/O of their own, no keys; a desk never imports another desk.
"""
