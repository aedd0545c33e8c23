"""Live streams: what runs for months."""
