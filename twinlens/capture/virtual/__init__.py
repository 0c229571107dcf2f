"""Two virtual MER-530 cameras that speak GigE Vision on the loopback, and the twin of the rig behind them."""
