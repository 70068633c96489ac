"""Tabs, one file each: its TITLE, and build(studio), which puts a form beside a stage and returns both, where there are any."""
