"""Who may, and what is written down of it."""
