"""`suffrage demo`: the whole loop on the embedded world, from a base model to a report.

A list of stages. Each leaves files under the output folder and is passed over when they are there,
so an interrupted demo carries on and a second run has nothing to do.
"""
