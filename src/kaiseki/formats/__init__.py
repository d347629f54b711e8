"""File formats that several rooms need: bytes in, plain arrays and tables out, no meteorology."""
