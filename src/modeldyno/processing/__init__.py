"""What is done to tensors around and between models: arrays in, arrays out."""
