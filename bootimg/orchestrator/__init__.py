"""The order of a build: its steps, targets, plan, journal, and how it goes on after an interruption."""
