"""Toys, fixtures and judges that several tests share."""
