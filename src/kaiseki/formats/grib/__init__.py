"""GRIB, editions 1 and 2: messages with one field each, and ecCodes to decode them."""
