"""A day of Heliostat on one machine, with simulated clouds and stepped time."""
