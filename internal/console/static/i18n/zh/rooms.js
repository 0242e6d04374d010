export default {
  "rooms.title": "直播间",
  "rooms.name": "直播间",
  "rooms.state": "状态",
  "rooms.anchor": "主播",
  "rooms.created": "创建时间",
  "rooms.empty": "还没有直播间。",
  "rooms.state.0": "未开播",
  "rooms.state.1": "直播中",
  "rooms.state.2": "已结束"
};
