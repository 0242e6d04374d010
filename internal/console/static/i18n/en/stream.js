export default {
  "stream.on": "On air",
  "stream.off": "Off air",
  "stream.off.text": "Nobody publishes this stream now. The charts show the last hour, if it was on air then.",
  "stream.room": "Room {title}",
  "stream.refusals": "Refusals",
  "stream.cut": "Cut off",
  "stream.course": "The last hour",
  "stream.sessions": "Sessions",
  "stream.nobody": "Nobody publishes or plays it now.",
  "stream.health": "Health"
};
