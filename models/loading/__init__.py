"""Loading: from files on disk to networks that draw."""
