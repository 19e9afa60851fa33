"""Small chores of the repository, which no room imports."""
