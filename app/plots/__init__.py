"""Figures: arrays in, plotly figures out; nothing here knows the page."""
