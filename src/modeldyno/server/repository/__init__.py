"""Loading and unloading while the server goes on."""
