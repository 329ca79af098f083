"""Rollouts: policies run in environments; and the command line."""
