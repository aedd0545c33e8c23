#!/usr/bin/env bash
# Makes sure that the Debian or Ubuntu packages named by purpose are there; installs what is missing where that is
# allowed, and otherwise says what to install. Usage: system-packages.sh PURPOSE...
set -euo pipefail

need=()

have_library() { ldconfig -p 2>/dev/null | grep -q "$1" || /sbin/ldconfig -p 2>/dev/null | grep -q "$1"; }

for purpose in "$@"; do
  case "$purpose" in
    venv) # Debian's python3 comes without ensurepip
      "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || need+=(python3-venv) ;;
    opencv) # the two libraries that the opencv-python wheel expects from the system
      have_library libGL.so.1 || need+=(libgl1)
      have_library libgthread-2.0.so.0 || need+=(libglib2.0-0) ;;
    ffprobe) # the independent witness of our own decoding and encoding
      command -v ffprobe >/dev/null && command -v ffmpeg >/dev/null || need+=(ffmpeg) ;;
    chromium) # plays the overlaid video
      command -v chromium >/dev/null || need+=(chromium)
      have_library libatomic.so.1 || need+=(libatomic1) ;; # which the driver that steers it expects
    rtsp) # the real RTSP server of the tests; it runs under the system's own Python
      rtsp_there() {
        /usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0"); gi.require_version("Gst", "1.0")
from gi.repository import Gst, GstRtspServer, Gio; Gst.init(None)
raise SystemExit(not all(map(Gst.ElementFactory.find, ("qtdemux", "h264parse", "rtph264pay"))) or not Gio.TlsBackend.get_default().supports_tls())' 2>/dev/null
      }
      rtsp_there || need+=(python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
        gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav glib-networking)
      command -v openssl >/dev/null || need+=(openssl) ;; # makes the certificate
    gcc) # builds the camera that the tests of V4L2 read
      echo '#include <linux/videodev2.h>' | gcc -fsyntax-only -xc - 2>/dev/null || need+=(gcc libc6-dev linux-libc-dev) ;;
    *) echo "system-packages.sh: unknown purpose '$purpose'" >&2; exit 2 ;;
  esac
done

[ ${#need[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
  else
    echo "missing system packages: ${need[*]}" >&2
    echo "install them (apt-get install ${need[*]}) and call make again" >&2
    exit 1
  fi
fi
command -v apt-get >/dev/null || { echo "missing: ${need[*]} (Debian's names); install them and call make again" >&2; exit 1; }

echo "installing system packages: ${need[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
