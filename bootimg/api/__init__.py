"""The Python API: `build`, `plan`, `inspect` and `verify`, which the package `bootimg` exports."""
