"""Other people's ways to scale, as planners behind our port: what Heliostat is compared with."""
