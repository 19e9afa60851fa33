"""The part shared by all VM clouds: record the intent, then buy, drain, redeploy, release."""
