"""AWS on loopback: the emulator, the deployment in it, and the clients of its users."""
