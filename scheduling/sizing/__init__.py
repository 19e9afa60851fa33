"""How many GPUs a worker should have, and how many workers a load needs: Aladdin's steps 1 and 2."""
