"""Finds the packages; two of them have other names than their folders (pyproject.toml has all the rest)."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["bootimg", "bootimg.*"]), "bootimg_manifests", "bootimg_platforms"])
