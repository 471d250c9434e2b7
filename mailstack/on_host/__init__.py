"""Programs for a host. Debian's own Python runs them, so they import nothing else of mailstack."""
