"""What every cloud of virtual machines has in common: intent first, then buy, drain, redeploy, release."""
