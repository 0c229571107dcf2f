"""Classical restoration of a picture whose blur is known: the filters, and the noise they need to know."""
