"""Networks from their sizes: built without weights, then filled and checked."""
