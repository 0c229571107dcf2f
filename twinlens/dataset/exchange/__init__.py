"""Datasets in other people's formats: one file per format, with what is written of it and what is read."""
