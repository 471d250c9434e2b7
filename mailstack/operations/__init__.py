"""The pyinfra operations that the components share."""
