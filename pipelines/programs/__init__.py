"""Programs: how other studios write a picture's settings, one file each, read into one set of names. No torch."""
