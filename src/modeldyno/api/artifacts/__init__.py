"""What is made of a model, and how it is opened: runtimes by name, recipes in a table."""
