"""For tools that look for this file. All that is said about the package is in pyproject.toml."""

from setuptools import setup

setup()
