"""Data of services, brought to where an experiment reads them: descriptors of sources, a plan, the download.

`descriptor` says what a source is, `plan` what an experiment needs of it, `fetch` loads it. Nothing here reads
meteorology: what the files mean is for `driving`, `observations` and `grid`.
"""
