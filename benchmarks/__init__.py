"""Measurements that take hours, not minutes: run from a checkout, never installed."""
