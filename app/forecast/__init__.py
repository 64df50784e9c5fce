"""The parts of the forecast page: what is asked for, how a run goes on, maps and charts."""
