"""What a pipeline is made of: its parts, its graph, how well it answers."""
