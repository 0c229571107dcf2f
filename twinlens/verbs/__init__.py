"""The verbs of the command line, one file per stage: read settings, call one function, show its report."""
