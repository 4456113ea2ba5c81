"""Kills and faults of the disk: `python -m benchmarks.chaos`; see __main__.py."""
