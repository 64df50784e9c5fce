"""The parts of the page that compares two forecasts: what they are, their maps, their charts, their cost."""
