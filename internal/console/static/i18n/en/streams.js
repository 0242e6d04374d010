export default {
  "streams.title": "Streams",
  "streams.about": "What is being published right now, on every node.",
  "streams.app": "Application",
  "streams.since": "On air for",
  "streams.viewers": "Viewers",
  "streams.bitrate": "Bit rate",
  "streams.picture": "Picture and sound",
  "streams.deeds": "State",
  "streams.search": "Search by name",
  "streams.total": "{n|One stream.|# streams.}",
  "streams.none": "No stream on air is like that.",
  "streams.empty": "Nothing is on air.",
  "streams.empty.hint": "Does an encoder try and fail?",
  "streams.empty.refused": "See who was refused and why"
};
