export default {
  "health.none": "Its media server does not tell how the stream is, or does not answer.",
  "health.since": "On air for",
  "health.viewers": "Viewers now",
  "health.in": "Bit rate in",
  "health.out": "Bit rate out",
  "health.video": "Video",
  "health.size": "Size",
  "health.frames": "Frame rate",
  "health.audio": "Audio",
  "health.channels": "{n|mono|# channels}",
  "health.volume": "Received",
  "health.node": "Node",
  "health.from": "Published from",
  "health.course.viewers": "Viewers",
  "health.course.rate": "Bit rate"
};
