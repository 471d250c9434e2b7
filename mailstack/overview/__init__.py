"""The state of a mail server on one screen: ``mailstack.status``."""
