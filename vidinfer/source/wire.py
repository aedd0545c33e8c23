"""A socket whose every wait can be ended by another thread."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from vidinfer.errors import SourceUnreachable
from vidinfer.interrupt import Interrupt
from vidinfer.source.cut import not_ffmpegs
from vidinfer.source.live_address import Kind, LiveAddress
from vidinfer.source.lookup import look_up

__all__ = ["answers", "connected", "tls_context"]


@contextmanager
def connected(
    address: LiveAddress, interrupt: Interrupt, timeout: float, *, verify: bool
) -> Iterator[socket.socket]:
    """A connection to ``address``, with TLS where it says so; closed at the end of the block.

    Args:
        interrupt: ends every wait on this connection at once, and the look-up of its name.
        timeout: seconds for each wait; change it with ``settimeout``. A name server is given five at most.
        verify: the certificate of the other end must be good.

    Raises:
        SourceUnreachable: nobody there, or nobody who can be talked to.
    """
    last: Exception | None = None
    for family, target in look_up(address, interrupt, timeout):
        raw = socket.socket(family, socket.SOCK_STREAM)
        with raw, raw.dup() as twin, interrupt.ended_by(partial(_cut, twin)):
            not_ffmpegs(raw)
            raw.settimeout(timeout)
            try:
                raw.connect(target)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                wire = _secured(raw, address, verify) if address.tls else raw
            except OSError as error:
                last = error
                if interrupt.is_set:
                    break
                continue
            with wire:
                yield wire
            return
    raise SourceUnreachable(f"{address.shown}: {_why(last, timeout, interrupt)}") from None


def answers(address: LiveAddress, interrupt: Interrupt, timeout: float) -> bool:
    """Whether it is worth asking: somebody takes connections there, or we may open the device. ``timeout`` in seconds.

    Cheap enough to be asked every few seconds while waiting for a camera to come back.
    """
    if address.kind is Kind.CAMERA:
        # A camera that is plugged in is there a moment before we are let in.
        return os.access(address.url, os.R_OK | os.W_OK)
    if address.kind is Kind.FILE:
        return Path(address.url).exists()
    if address.kind is Kind.UDP:
        return True
    try:
        with connected(replace(address, tls=False), interrupt, timeout, verify=False):
            return True
    except SourceUnreachable:
        return False


def tls_context(*, verify: bool) -> ssl.SSLContext:
    """Of a client. Cameras come with certificates that nobody signed: these pass unless ``verify``."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _secured(raw: socket.socket, address: LiveAddress, verify: bool) -> ssl.SSLSocket:
    return tls_context(verify=verify).wrap_socket(raw, server_hostname=address.host)


def _cut(twin: socket.socket) -> None:
    """``twin``: a number of its own for the connection. The first may be closed, and somebody else's, by now."""
    with suppress(OSError):
        twin.shutdown(socket.SHUT_RDWR)


def _why(error: Exception | None, timeout: float, interrupt: Interrupt) -> str:
    if interrupt.is_set:
        return "interrupted while connecting"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; check that the server runs and the port is right"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s; check that it is switched on and the address is right"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection ({error.reason or 'failed'}); check that the port speaks TLS, and its certificate"
    words = getattr(error, "strerror", None) or type(error).__name__
    return f"cannot connect ({words}); check the address and the network"
