"""The page: pickers, a run off the script thread, animated maps and scores."""
