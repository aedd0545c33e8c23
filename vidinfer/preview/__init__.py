"""A web page, and metrics, of a live run: feed.py takes its pictures, server.py shows them."""

from vidinfer.preview.access import is_loopback, new_token
from vidinfer.preview.feed import PictureFeed
from vidinfer.preview.server import Preview

__all__ = ["PictureFeed", "Preview", "is_loopback", "new_token"]
