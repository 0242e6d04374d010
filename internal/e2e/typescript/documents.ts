// Calls every operation of the live_auth, AppServer and ipchub documents once,
// through a client whose types come from openapi.yaml alone. What cannot succeed
// without a stream on the air must be refused as documented.
//
// usage: node documents.js URL USERNAME PASSWORD
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import { patiently } from "./patiently.js";
import type { paths } from "./schema.js";

const [baseUrl = "", username = "", password = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, fetch: patiently });
const called = new Set<string>();

client.use({
  onRequest: ({ schemaPath, request }) => void called.add(`${request.method} ${schemaPath}`),
});

interface Result<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Takes the answer of a call that must succeed. */
function good<T>(result: Result<T>): NonNullable<T> {
  assert.equal(result.response.status, 200, JSON.stringify(result.error));
  return result.data as NonNullable<T>;
}

/** ipchub's answers are JSON under either of two content types. */
function object<T>(result: Result<T>): Exclude<NonNullable<T>, string> {
  const data = good(result);
  assert.notEqual(typeof data, "string");
  return data as Exclude<NonNullable<T>, string>;
}

function bearer(token: string): void {
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${token}`);
      return request;
    },
  });
}

async function liveAuth(): Promise<void> {
  const login = good(
    await client.POST("/auth/token", {
      body: { username, password, scope: "" },
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    }),
  );
  assert.equal(login.token_type, "bearer");
  bearer(login.access_token);
  const created = good(
    await client.POST("/users/create", {
      body: { username: "typist", password: "a long way to type", email: "typist@example.com", full_name: "Typist" },
    }),
  );
  assert.equal(created.permission_level, 0);
  assert.equal(good(await client.GET("/users/me")).username, username);
  const pair = good(await client.POST("/live/create_token", { params: { query: { stream: "typed", level: 0 } } }));
  assert.notEqual(pair.token, pair.play_token);
  assert.deepEqual(good(await client.GET("/live/list_tokens")).map((t) => t.stream), ["typed"]);
  const event = {
    client_id: "ts1", ip: "192.0.2.10", vhost: "__defaultVhost__", app: "live", stream: "typed", param: `?token=${pair.token}`,
    server_id: "vid-1", tcUrl: "rtmp://127.0.0.1/live", stream_url: "/live/typed", stream_id: "vid-2",
  };
  const raw = { parseAs: "text" } as const;
  assert.equal(good(await client.POST("/callback/on_publish", { body: { action: "on_publish", ...event }, ...raw })), "0");
  assert.equal(good(await client.POST("/callback/on_play", { body: { action: "on_play", ...event }, ...raw })), "0");
  const file = { cwd: "/srv", file: "typed.flv" };
  assert.equal(good(await client.POST("/callback/on_dvr", { body: { action: "on_dvr", ...event, ...file }, ...raw })), "0");
  const streams = good(await client.GET("/streams/list"));
  assert.deepEqual(streams.streams.map((s) => s.name), ["typed"]);
  await ipchubStreams();
  good(await client.DELETE("/live/destroy_token", { params: { query: { token: pair.token } } }));
}

async function appServer(): Promise<void> {
  const body = { username, password };
  assert.equal(good(await client.POST("/login", { body })).code, 200);
  bearer(good(await client.POST("/api/v1/live/login", { body })).token);
  const device = { user_id: username, device_id: "d1", device_type: "web" } as const;
  good(await client.POST("/api/v1/live/token", { body: device }));
  good(await client.POST("/api/v2/live/token", { body: { ...device, im_server: ["aliyun_new"] } }));
  good(await client.POST("/api/v1/live/create", { body: { title: "first", anchor: username, mode: 0 } }));
  const room = good(
    await client.POST("/api/v2/live/create", { body: { title: "second", anchor: username, mode: 1, im_server: ["aliyun_new"] } }),
  );
  const ref = { id: room.id, user_id: username };
  const titles = good(await client.POST("/api/v1/live/list", { body: { user_id: username, page_num: 1, page_size: 10 } })).map((r) => r.title);
  assert.ok(titles.includes("first") && titles.includes("second"));
  assert.equal(good(await client.POST("/api/v1/live/get", { body: ref })).status, 0);
  good(await client.POST("/api/v1/live/update", { body: { id: room.id, title: "the second" } }));
  const members = [{ user_id: username, user_nick: "Typist", camera_opened: true, mic_opened: false }];
  good(await client.POST("/api/v1/live/updateMeetingInfo", { body: { id: room.id, members } }));
  assert.equal(good(await client.POST("/api/v1/live/getMeetingInfo", { body: { id: room.id } })).members[0]?.user_nick, "Typist");
  assert.equal(good(await client.POST("/api/v1/live/start", { body: ref })).status, 1);
  assert.equal(good(await client.POST("/api/v1/live/pause", { body: ref })).status, 0);
  await jump(room.id);
  good(await client.POST("/api/v1/live/getRtcAuthToken", { body: { room_id: room.meeting_id, user_id: username } }));
  const chat = { chatroom_id: room.chat_id };
  assert.equal(good(await client.POST("/api/v1/live/sendLikeMessage", { body: { ...chat, user_id: username, like_count: 3 } })).count, 3);
  assert.equal(good(await client.POST("/api/v1/live/getStatistics", { body: chat })).like_count, 3);
  assert.equal(good(await client.POST("/api/v1/live/muteChatroom", { body: chat })).mute, true);
  assert.equal(good(await client.POST("/api/v1/live/isMuteChatroom", { body: chat })).mute, true);
  assert.equal(good(await client.POST("/api/v1/live/cancelMuteChatroom", { body: chat })).mute, false);
  good(await client.POST("/api/v1/live/refresh_token"));
  assert.equal(good(await client.POST("/api/v1/live/stop", { body: ref })).status, 2);
  good(await client.POST("/api/v1/live/delete", { body: ref }));
  const report = await client.GET("/api/v1/live/handlePushStreamEventCallback", {
    params: {
      query: { action: "publish", app: "push.example.com", appname: "live", id: room.id, time: Math.floor(Date.now() / 1000) },
      header: { "ALI-LIVE-TIMESTAMP": String(Math.floor(Date.now() / 1000)), "ALI-LIVE-SIGNATURE": "0".repeat(32) },
    },
  });
  assert.equal(report.response.status, 403);
}

async function jump(live_id: string): Promise<void> {
  const made = good(await client.POST("/api/v1/live/getLiveJumpUrl", { body: { live_id, user_id: username } }));
  const query = new URL(made.liveJumpUrl).searchParams;
  const check = { live_id, user_id: username, app_server: query.get("app_server") ?? "", token: query.get("token") ?? "" };
  assert.ok(good(await client.POST("/api/v1/live/verifyAuthToken", { body: check })).loginToken);
}

async function ipchub(): Promise<void> {
  object(await client.GET("/api/v1/server"));
  const runtime = object(await client.GET("/api/v1/runtime", { params: { query: { extra: "1" } } }));
  assert.ok((runtime.extra?.go.count ?? 0) > 0);
  const pair = object(await client.POST("/api/v1/login", { body: { username, password } }));
  const next = object(await client.GET("/api/v1/refreshtoken", { params: { query: { token: pair.refresh_token } } }));
  bearer(next.access_token);
  const user = { name: "camera1", password: "a long way to go", pull: "/live/*" };
  good(await client.POST("/api/v1/users", { body: user }));
  assert.equal(object(await client.GET("/api/v1/users/{name}", { params: { path: { name: "camera1" } } })).pull, "/live/*");
  assert.ok(object(await client.GET("/api/v1/users")).total >= 2);
  good(await client.DELETE("/api/v1/users/{name}", { params: { path: { name: "camera1" } } }));
  good(await client.POST("/api/v1/routes", { body: { pattern: "/HR/Door", url: "rtsp://u:p@203.0.113.9/video" } }));
  const path = { pattern: "hr/door" };
  assert.equal(object(await client.GET("/api/v1/routes/{pattern}", { params: { path } })).url, "rtsp://u:***@203.0.113.9/video");
  assert.equal(object(await client.GET("/api/v1/routes")).total, 1);
  good(await client.DELETE("/api/v1/routes/{pattern}", { params: { path } }));
}

/** Runs while a stream is on the air, on a media server that cannot kick. */
async function ipchubStreams(): Promise<void> {
  const path = { path: "live/typed" };
  assert.equal(object(await client.GET("/api/v1/streams", { params: { query: { c: "1" } } })).streams?.[0]?.cs?.length, 1);
  const stream = object(await client.GET("/api/v1/streams/{path}", { params: { path, query: { c: "1" } } }));
  const cid = stream.cs?.[0]?.id ?? 0;
  const kicked = await client.DELETE("/api/v1/streams/{path}:consumer", { params: { path, query: { cid } } });
  assert.equal(kicked.response.status, 409);
  assert.equal((await client.DELETE("/api/v1/streams/{path}", { params: { path } })).response.status, 409);
}

await liveAuth();
await appServer();
await ipchub();
console.log([...called].sort().join("\n"));
