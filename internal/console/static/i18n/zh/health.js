export default {
  "health.none": "媒体服务器没有提供该流的状况，或没有响应。",
  "health.since": "已开播",
  "health.viewers": "当前观众",
  "health.in": "输入码率",
  "health.out": "输出码率",
  "health.video": "视频",
  "health.size": "分辨率",
  "health.frames": "帧率",
  "health.audio": "音频",
  "health.channels": "{n} 声道",
  "health.volume": "已接收",
  "health.node": "节点",
  "health.from": "推流来源",
  "health.course.viewers": "观众",
  "health.course.rate": "码率"
};
