"""Ways to forecast a panel, all behind one small protocol."""
