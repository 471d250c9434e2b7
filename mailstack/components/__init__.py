"""One module a component; each shows ``files`` (pure) and ``deploy``."""
