"""Images and files made to exhaust the machine that reads them, each with the limit that it has to keep.

`python -m tests.hostile` runs all of them and prints what they took; the unit tests run the quick ones.
"""
