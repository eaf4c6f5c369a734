"""Lines of JSON and the values that they mean. Pure."""
