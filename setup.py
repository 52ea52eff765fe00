"""Finds the packages; four of them have other names than their folders (pyproject.toml has all the rest)."""

from setuptools import find_packages, setup

OWN = find_packages(include=["bootimg", "bootimg.*"])
UPLOADERS = ["bootimg_uploaders", *(f"bootimg_uploaders.{name}" for name in find_packages("uploaders"))]

setup(packages=[*OWN, "bootimg_manifests", "bootimg_pipelines", "bootimg_platforms", *UPLOADERS])
