"""Policies: they turn observations into actions. Training and evaluation both build on them."""
