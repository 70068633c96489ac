"""A cluster: devices of other computers, by Ray: how it is begun and joined, who is in it, and the bytes that go over. No torch."""
