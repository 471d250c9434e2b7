"""Take all users and the queue away from a host, with ``mailstack.drain``."""
