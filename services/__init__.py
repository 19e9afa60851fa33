"""The processes: the only code that meets the network, the scheduler and the clouds."""
