"""NCEP PREPBUFR files, decoded with the BUFR tables that travel inside each of them.

`read(path)` gives, for each message type, one table of plain arrays per replication (reports, levels, events).
Byte order, blocking with Fortran control words and gzip are recognised; BUFR editions 2 to 4, compressed or not,
with operators 201, 202 and 205 to 208; everything else is refused with one sentence.

A file without gzip that was cut off exactly between two records is a complete shorter file, since the format has no
end mark: compare `Decoded.counts` with what the provider announces.
"""

from kaiseki.formats.prepbufr.decode import Decoded, decode, read
from kaiseki.formats.prepbufr.reports import Node, Reports
from kaiseki.formats.prepbufr.tables import Element, Sequence, Tables

__all__ = ["Decoded", "Element", "Node", "Reports", "Sequence", "Tables", "decode", "read"]
