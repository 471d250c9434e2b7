"""``mailstack.remove``: give a host back, component by component."""
