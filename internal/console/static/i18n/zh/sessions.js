export default {
  "sessions.title": "会话",
  "sessions.about": "每一个推流或播放连接，以及准许它的凭证。",
  "sessions.state": "状态",
  "sessions.state.open": "进行中",
  "sessions.state.ended": "已结束",
  "sessions.scene": "方向",
  "sessions.scene.any": "推流与播放",
  "sessions.stream.hint": "流名",
  "sessions.credential.any": "任意凭证",
  "sessions.time": "时间",
  "sessions.bytes": "流量",
  "sessions.fate": "状态或结束原因",
  "sessions.refused": "不应运行",
  "sessions.none": "没有符合条件的会话。",
  "sessions.empty.open": "当前没有人推流或播放。",
  "sessions.empty.ended": "还没有已结束的会话。",
  "sessions.client": "客户端、节点"
};
