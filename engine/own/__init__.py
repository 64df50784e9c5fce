"""A person's own field: a netCDF file of any origin as a run of a data set."""
