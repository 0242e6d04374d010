export default {
  "streams.title": "流",
  "streams.about": "所有节点上正在推送的流。",
  "streams.app": "应用",
  "streams.since": "已开播",
  "streams.viewers": "观众",
  "streams.bitrate": "码率",
  "streams.picture": "音视频",
  "streams.deeds": "状态",
  "streams.search": "按流名搜索",
  "streams.total": "共 {n} 路流。",
  "streams.none": "没有符合条件的流。",
  "streams.empty": "当前没有正在推送的流。",
  "streams.empty.hint": "编码器推流失败？",
  "streams.empty.refused": "查看被拒绝的请求及原因"
};
