"""How a planned request reaches a server, one file a protocol."""
