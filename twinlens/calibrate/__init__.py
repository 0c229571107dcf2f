"""Floor 4: how camera A's picture maps onto camera B's."""
