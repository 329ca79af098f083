"""Maps the top-level folders to the import names `murk.<folder>`; all else is in pyproject.toml."""

from setuptools import find_namespace_packages, setup

TREES = ("envs", "rewards", "rollout", "configs")

setup(
    package_dir={f"murk.{tree}": tree for tree in TREES},
    packages=[
        f"murk.{name}" for tree in TREES for name in [tree, *(f"{tree}.{p}" for p in find_namespace_packages(tree))]
    ],
)
