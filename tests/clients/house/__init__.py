"""Real processes on loopback, and the real clients that talk to them."""
