"""Downloads from the hub, and pickles made into safetensors, for the owner only."""
