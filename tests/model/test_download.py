"""Downloads against a real server on this machine: complete and right, or nothing at all, and soon."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from torchvision.models import ResNet18_Weights

from vidinfer.clock import MonotonicClock
from vidinfer.errors import ModelUnavailable
from vidinfer.model.cache import promised_sha256
from vidinfer.model.download import DownloadFailed, download
from vidinfer.model.weights import obtain

BODY = bytes(range(256)) * 4096
SHA = hashlib.sha256(BODY).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if self.path == "/cut" else BODY)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_address[1]}"
        made.shutdown()
        thread.join()


def test_a_good_file_arrives_whole_with_a_bar_on_stderr(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "folder" / "x.pth"
    download(f"{server}/good", path, sha256_prefix=SHA[:8], progress=True)
    assert path.read_bytes() == BODY
    assert [p.name for p in path.parent.iterdir()] == ["x.pth"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "x.pth" in err
    assert "100%" in err


def test_quiet_unless_asked_and_redirects_are_followed(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download(f"{server}/moved", tmp_path / "x.pth", sha256_prefix=None)
    assert (tmp_path / "x.pth").read_bytes() == BODY
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("page", "prefix", "reason"),
    [
        ("good", "00000000", r"SHA-256 .*expected 00000000"),
        ("cut", SHA[:8], rf"broke off after {len(BODY) // 2} of {len(BODY)} bytes"),
        ("missing", SHA[:8], "answered 404"),
    ],
)
def test_a_bad_answer_leaves_nothing(
    server: str, tmp_path: Path, page: str, prefix: str, reason: str
) -> None:
    with pytest.raises(DownloadFailed, match=reason):
        download(f"{server}/{page}", tmp_path / "x.pth", sha256_prefix=prefix)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    clock = MonotonicClock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.pth"
        start = clock.now()
        with pytest.raises(DownloadFailed, match="no answer in time"):
            download(url, tmp_path / "x.pth", sha256_prefix=None, read_seconds=0.3)
        assert clock.now() - start < 5
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadFailed, match=r"[Nn]ot a directory|exists"):
        download(f"{server}/good", tmp_path / "file" / "x.pth", sha256_prefix=None)


def test_without_network_and_cache_one_message_names_the_three_ways(torch_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    member = ResNet18_Weights.IMAGENET1K_V1
    with pytest.raises(ModelUnavailable) as failure:
        obtain(member, url=f"http://127.0.0.1:{port}/x.pth")
    message = str(failure.value)
    assert "\n" not in message
    assert failure.value.exit_status == 3
    expected = torch_home / "checkpoints" / "resnet18-f37072fd.pth"
    for part in (
        f"put the file from {member.url} at {expected}",
        "--weights FILE",
        "--model demo",
        "refused",
    ):
        assert part in message, part


def test_a_wrong_file_from_the_server_is_not_kept(server: str, torch_home: Path) -> None:
    with pytest.raises(ModelUnavailable, match="expected f37072fd"):
        obtain(ResNet18_Weights.IMAGENET1K_V1, url=f"{server}/good")
    assert list((torch_home / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("resnet50-11ad3fa6.pth", "11ad3fa6"),
        ("resnet18_fbgemm_16fa66dd.pth", "16fa66dd"),
        ("my-weights.pth", None),
    ],
)
def test_the_hash_that_a_name_promises(name: str, digits: str | None) -> None:
    assert promised_sha256(name) == digits
