"""The pyinfra operations of all components."""
