"""Thousands of nights, with and without a fault: do the verdicts keep the error rates that they promise?"""
