"""Memory: which device, what lies on it, what a picture will need, and what moves out when it is full."""
