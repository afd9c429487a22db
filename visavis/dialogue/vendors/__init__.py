"""Robots of app types 0, 1 and 2: services of other vendors, asked by their published protocols (docs/vendors.md).

A service only says what it is asked and what it answers (:class:`~visavis.dialogue.vendors.types.Service`); waiting, cutting
into sentences and apologising are the same for all (:class:`~visavis.dialogue.vendors.dialogue.VendorDialogue`).
"""
