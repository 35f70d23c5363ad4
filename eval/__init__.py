"""Evaluation: plays policies on tasks, keeps a record of each episode, and makes tables of them."""
