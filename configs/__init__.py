"""Configuration files of murk, composed by Hydra; this package holds no code."""
