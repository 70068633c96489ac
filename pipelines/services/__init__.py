"""Services: what the page asks beside drawing: uploads, previews, downloads, notes, limits of guests. No torch."""
