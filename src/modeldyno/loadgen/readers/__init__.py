"""What is made of the answers: one reader a protocol, all inside the sending process."""
