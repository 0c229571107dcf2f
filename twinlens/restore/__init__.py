"""Floor 6: networks, training, inference and evaluation, on torch."""
