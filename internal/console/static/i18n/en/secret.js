export default {
  "secret.once": "Copy it now: it is not shown again.",
  "secret.lines": "Lines to paste",
  "secret.kept": "I have kept it"
};
