"""MSN Messenger: the MSNP transport."""
