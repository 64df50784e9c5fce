"""The parts of the page About: words, model cards, sources of data, software, and this machine."""
