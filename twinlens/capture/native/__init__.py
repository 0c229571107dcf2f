"""The GenTL producer `twinlens_gev.cti`: C sources and, once built, the library."""
