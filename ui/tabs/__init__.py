"""One file a tab: its TITLE, and build(studio), which puts a form beside a stage and returns both, where there are any."""
