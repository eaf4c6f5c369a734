"""Yahoo! Messenger: the YMSG protocol."""
