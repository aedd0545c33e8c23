"""A real RTSP server, run by the system's Python: GStreamer's own. Prints its port; ends with its standard input."""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions first
from gst_words import PASSWORD, USER  # noqa: E402 - beside this script

PIPELINE = "( filesrc location={} ! qtdemux ! {}parse config-interval=1 ! rtp{}pay name=pay0 pt=96 )"
LOSSY = PIPELINE.replace("name=pay0 pt=96", "pt=96 mtu=1000 ! identity drop-probability=0.02 name=pay0")
"""Pictures in many packets, of which two in a hundred are not sent."""


def main(h264: str, h265: str, certificate: str, port: str = "0") -> None:
    """Serve ``/h264`` and ``/h265`` to anybody and ``/private`` to one user; with TLS if there is a certificate.

    ``/h264/lossy`` and ``/h265/lossy`` lose packets.
    """
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    auth = GstRtspServer.RTSPAuth()
    anybody, somebody = GstRtspServer.RTSPToken(), GstRtspServer.RTSPToken()
    anybody.set_string("media.factory.role", "anybody")
    somebody.set_string("media.factory.role", "somebody")
    auth.set_default_token(anybody)
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(USER, PASSWORD, somebody)
    if certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    server.set_auth(auth)
    served = (
        ("/h264", PIPELINE, h264, "h264"),
        ("/h265", PIPELINE, h265, "h265"),
        ("/private", PIPELINE, h264, "h264"),
        ("/h264/lossy", LOSSY, h264, "h264"),
        ("/h265/lossy", LOSSY, h265, "h265"),
    )
    for path, pipeline, file, codec in served:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(pipeline.format(file, codec, codec))
        factory.add_role_from_structure(role("somebody"))
        factory.add_role_from_structure(role("anybody", "false" if path == "/private" else "true"))
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit())
    loop.run()


def role(name: str, construct: str = "true") -> Gst.Structure:
    """Who may only ask, and not construct, is told 401."""
    allowed = f"media.factory.access=(boolean)true, media.factory.construct=(boolean){construct}"
    structure, _ = Gst.Structure.from_string(f"{name}, {allowed}")
    return structure


if __name__ == "__main__":
    main(*sys.argv[1:])
