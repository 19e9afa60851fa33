"""The command line: parses arguments, calls the control plane or pure packages, shows results."""
