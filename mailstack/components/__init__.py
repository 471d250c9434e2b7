"""The components, a module each, with ``files`` (pure) and ``deploy``."""
