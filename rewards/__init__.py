"""Rewards: from a trajectory, its task and the pages it saw, to a score."""
