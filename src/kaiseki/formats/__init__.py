"""File formats that several packages need: bytes in, plain arrays and tables out, no meteorology."""
