"""Layer 2: sans-IO codecs, bytes to records and back; shared by the server and the load generator."""
