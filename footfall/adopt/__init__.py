"""Takes over what a project has counted before, with its history where there is one.

`sources` reads it, `taking` puts it into the base. What a counter itself had before is taken over
by `footfall.recount.adopt`.
"""
