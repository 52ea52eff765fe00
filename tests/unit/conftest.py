"""What the unit tests share: a property has as much time as the machine needs for it."""

from hypothesis import settings

settings.register_profile("unit", deadline=None)
settings.load_profile("unit")
