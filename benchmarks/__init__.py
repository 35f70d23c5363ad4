"""Measurements that take hours, not minutes: ``python -m benchmarks.NAME --help``. Not installed."""
