"""Benchmarks, one file each: `tidegate bench NAME --json` runs `bench/NAME.py`."""
