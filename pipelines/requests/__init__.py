"""Requests: what can be asked of a job, its limits, and the arithmetic of its fields. No torch."""
