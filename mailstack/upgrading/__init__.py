"""A host goes from Debian 12 to 13: ``mailstack.upgrade``."""
