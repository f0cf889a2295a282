"""The file that ``tidegate init`` writes: commented, and it runs in paper at once."""

from __future__ import annotations

STRATEGY = "strategies/v2-v3-arb.yaml"

TEXT = f"""\
# What Tidegate runs here. Every key is checked; `tidegate config explain KEY` says what one does,
# and `tidegate config show` prints all of them with the layer that set each.
# A quantity's unit stands in its key: _s seconds, _ms milliseconds, _wei, _bps, _usd, _blocks.

[run]
stage = "paper"             # backtest, paper, fork, shadow, canary, production
desk = "atomic"
chain = "devnet"            # a table of [chains] below; paper starts a node of its own

[desk.atomic]
strategies = ["{STRATEGY}"]
capital_usd = 10_000        # what is allotted: exposure and loss limits are shares of it

[paper]
seed = 7                    # the same seed, the same market
warm_up_blocks = 24
inclusion_delay_blocks = 0  # how long a transaction waits
failure_share = 0.0         # of sends that the node loses

# The local chain of `tidegate devnet up`: while it is up it is found by its name and needs no endpoint.
[chains.devnet]
chain_id = 31337
kind = "devnet"
block_time_s = 12

# For a chain of others, name two endpoints of different operators: then reads that commit value are
# compared, and one may die without a lost read.
#
# [chains.ethereum]
# chain_id = 1
# fee_cap_wei = 60_000_000_000
#
# [[chains.ethereum.endpoints]]
# name = "first"
# url = "file:secrets/first-node-url"   # URLs of others carry keys: a reference, never the value
# operator = "one provider"
#
# [[chains.ethereum.endpoints]]
# name = "second"
# url = "env:SECOND_NODE_URL"
# operator = "another provider"

# Who takes bundles (ethereum and sepolia): `relay.builders` of a strategy names them.
# An endpoint of tier "private" is the next route; see docs/how-to/send-privately.md.
#
# [[chains.ethereum.relays]]
# name = "first-relay"
# url = "env:RELAY_URL"
# supports = ["cancel", "simulate"]

# Limits of the street beside those of each strategy. What is left out has its stage's default,
# which is 0 for dollars outside paper: nothing moves on a live chain by default.
[limits]
# notional_per_transaction_usd = 500
# notional_per_day_usd = 5_000

# Canary and production sign in a process of their own; see `tidegate signer init`.
[signer]
key = "operator"
"""
