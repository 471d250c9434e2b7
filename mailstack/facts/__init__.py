"""What a host looks like now."""
