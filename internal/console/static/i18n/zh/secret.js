export default {
  "secret.once": "请立即复制，之后不会再次显示。",
  "secret.lines": "要粘贴的配置",
  "secret.kept": "我已保存"
};
