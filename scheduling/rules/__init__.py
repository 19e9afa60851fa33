"""Compiled arithmetic on plain numbers that the dispatcher and the simulator's engine share."""
