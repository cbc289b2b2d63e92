"""How well a model, a bundle or a service answers, row by row."""
