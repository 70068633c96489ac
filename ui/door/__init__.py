"""The door: who comes in, what a request may bring, and what never becomes one."""
