"""Tensors in files: headers, names, shapes, and their bytes brought into memory. Nothing here knows what a picture is."""
