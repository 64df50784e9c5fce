"""The parts of the page Runs: how a run reads, what is left of it, its details, files of it."""
