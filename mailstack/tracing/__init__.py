"""What became of a message, from the journals of the hosts: ``mailstack.trace``."""
