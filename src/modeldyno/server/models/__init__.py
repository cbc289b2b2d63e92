"""One model: its queue, its batches, its instances."""
