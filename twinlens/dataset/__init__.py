"""Floor 5: aligned pairs in HDF5, with honest splits."""
