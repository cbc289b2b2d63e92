"""Records as plain text for a terminal: at most 110 columns, no colours, the verdict first, the next step last."""
