"""Clouds' emulators and fakes, proxies with faults, and builds to upload."""
