"""From a strategy to a plan: compile, quote, search, decide, judge. Reads a pinned state, sends nothing."""
