"""Images: pixels in and out, kept by content, masks and windows. No torch."""
