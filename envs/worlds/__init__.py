"""Worlds whose facts are known: generated ones, and real sources with facts; and the tasks made from facts."""
