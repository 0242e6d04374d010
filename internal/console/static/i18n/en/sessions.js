export default {
  "sessions.title": "Sessions",
  "sessions.about": "Every connection that publishes or plays, with the credential that admitted it.",
  "sessions.state": "State",
  "sessions.state.open": "Open now",
  "sessions.state.ended": "Ended",
  "sessions.scene": "Side",
  "sessions.scene.any": "Both sides",
  "sessions.stream.hint": "Name of the stream",
  "sessions.credential.any": "Any credential",
  "sessions.time": "Time",
  "sessions.bytes": "Traffic",
  "sessions.fate": "State or end",
  "sessions.refused": "Should not run",
  "sessions.none": "No session is like that.",
  "sessions.empty.open": "Nobody publishes or plays now.",
  "sessions.empty.ended": "No session has ended yet.",
  "sessions.client": "Client, node"
};
