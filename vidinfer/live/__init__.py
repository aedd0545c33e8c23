"""Live streams: many cameras, one model, bounded latency."""
