"""Requests, tokens and calls at a time, held exactly: window arithmetic and who keeps the count."""
