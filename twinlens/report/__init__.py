"""Floor 7: every figure and every HTML page, made from reports."""
