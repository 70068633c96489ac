"""Control units made ready: which part of which picture, its map, and its network."""
