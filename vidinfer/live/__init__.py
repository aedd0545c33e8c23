"""Live streams: connections that come and go, and what is decided about them."""
