// Load /video.mp4, look at pictures at the given times, then play it from its start to its end.
async ({ times, pixel }) => {
  const video = document.createElement("video");
  const happens = (name) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no "${name}" within 20 s`)), 20000);
      video.addEventListener(name, () => { clearTimeout(timer); resolve(); }, { once: true });
      video.addEventListener("error", () => reject(new Error(`${name}: ${video.error.message}`)), { once: true });
    });
  // "seeked" may come before the picture is there to be drawn; this comes with the picture.
  const shown = () =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no picture within 20 s")), 20000);
      video.requestVideoFrameCallback(() => { clearTimeout(timer); resolve(); });
    });
  const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const ready = Promise.all([happens("canplaythrough"), shown()]);
  video.muted = true;
  video.preload = "auto";
  video.src = "/video.mp4";
  document.body.appendChild(video);
  await ready;
  const found = {
    duration: video.duration, width: video.videoWidth, height: video.videoHeight, start: video.currentTime,
    audio: video.webkitAudioDecodedByteCount, looks: [],
  };
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  for (const time of times) {
    const there = Promise.all([happens("seeked"), shown()]);
    video.currentTime = time;
    await there;
    pen.drawImage(video, 0, 0);
    const area = pixel ? [...pixel, 1, 1] : [0, 0, canvas.width, canvas.height];
    found.looks.push({ time: video.currentTime, rgba: base64(pen.getImageData(...area).data) });
  }
  const back = happens("seeked");
  video.currentTime = 0;
  await back;
  const over = happens("ended");
  video.playbackRate = 2;
  await video.play();
  await over;
  found.end = video.currentTime;
  found.audio = video.webkitAudioDecodedByteCount;
  return found;
}
