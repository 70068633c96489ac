"""Runtime: who lends models to a task and runs its recipe."""
