"""How protocols are spoken to a server: its models found, rows and prompts made into requests."""
