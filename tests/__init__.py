"""The rules that Heliostat keeps, one test each."""
