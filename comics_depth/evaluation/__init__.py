"""Predictions and their scores against depth orderings: metrics, tables, report."""
