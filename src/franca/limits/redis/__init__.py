"""Limits over hosts: ledgers in a Redis, each decision one script."""
