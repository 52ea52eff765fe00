"""Runs a build: its steps, targets, plan and journal; resumes it after an interruption."""
