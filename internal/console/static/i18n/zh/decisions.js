export default {
  "decisions.title": "拒绝记录",
  "decisions.about": "被拒绝的请求及其原因，最新的在前。",
  "decisions.at": "时间",
  "decisions.wanted": "请求",
  "decisions.reason": "原因",
  "decisions.reason.any": "任意原因",
  "decisions.repeats": "同一秒内还有 {n} 次",
  "decisions.explain": "诊断",
  "decisions.explain.what": "诊断 {stream} 的拒绝原因",
  "decisions.url": "这个地址为什么被拒绝？",
  "decisions.request": "请求 ID",
  "decisions.stream.hint": "流名，或 应用/流名",
  "decisions.client.hint": "客户端 IP 或 ID",
  "decisions.none": "没有符合条件的拒绝记录。",
  "decisions.none.hint": "名称和 IP 需完整匹配。默认保留 72 小时的记录。",
  "decisions.empty": "没有被拒绝的请求。",
  "decisions.callback": "一次回调"
};
