"""Measurements that take long: ``python -m benchmarks.NAME --help``. Never installed."""
