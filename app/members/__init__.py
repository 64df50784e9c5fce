"""The members of a forecast beside one another: small maps in order, and their lines over one another."""
