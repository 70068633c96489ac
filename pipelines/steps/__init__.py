"""Steps kept: what is known after each step of a picture, written to the disk and read back, and the room that it takes. No torch."""
