export default {
  "stream.on": "推流中",
  "stream.off": "未推流",
  "stream.off.text": "当前没有人推送这路流。若最近一小时内曾推流，图表会显示当时的情况。",
  "stream.room": "直播间 {title}",
  "stream.refusals": "拒绝记录",
  "stream.cut": "断开",
  "stream.course": "最近一小时",
  "stream.sessions": "会话",
  "stream.nobody": "当前没有人推流或播放。",
  "stream.health": "健康状况"
};
