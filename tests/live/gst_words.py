"""Who may see the private stream of ``gst_server.py``."""

USER, PASSWORD = "admin", "pa:ss@word"
