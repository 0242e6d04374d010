export default {
  "decisions.title": "Refusals",
  "decisions.about": "Who was refused at the door and why, the newest first.",
  "decisions.at": "When",
  "decisions.wanted": "Wanted",
  "decisions.reason": "Reason",
  "decisions.reason.any": "Any reason",
  "decisions.repeats": "{n|and one more like it in that second|and # more like it in that second}",
  "decisions.explain": "Explain",
  "decisions.explain.what": "Explain the refusal of {stream}",
  "decisions.url": "Why is this URL refused?",
  "decisions.request": "Request id",
  "decisions.stream.hint": "Stream, or app/stream",
  "decisions.client.hint": "Client address or id",
  "decisions.none": "No refusal is like that.",
  "decisions.none.hint": "Names and addresses are compared as a whole. Refusals are kept for 72 hours unless configured otherwise.",
  "decisions.empty": "Nobody was refused.",
  "decisions.callback": "A callback"
};
