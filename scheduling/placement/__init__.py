"""Which replica gets a request: Aladdin's best fit and its rivals, behind one port."""
