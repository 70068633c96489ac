"""Tasks: one recipe for each kind of job, and the stages that recipes share."""
