"""The command line: reads what an operator typed, asks the control plane or pure rooms, shows answers."""
