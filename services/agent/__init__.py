"""The agent: carries out orders in one region and reports what came of them."""
