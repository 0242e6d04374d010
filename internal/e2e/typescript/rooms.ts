// Logs in, creates, lists, reads and stops a room through a client whose types
// come from openapi.yaml alone.
//
// usage: node rooms.js URL USERNAME PASSWORD
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import { patiently } from "./patiently.js";
import type { components, paths } from "./schema.js";

type Room = components["schemas"]["Room"];

const [baseUrl = "", username = "", password = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, fetch: patiently });

async function logIn(): Promise<void> {
  const wrong = await client.POST("/login", { body: { username, password: password + "x" } });
  assert.equal(wrong.response.status, 401);
  assert.equal(wrong.error?.code, 401);

  const { data, error } = await client.POST("/login", { body: { username, password } });
  assert.ok(data, JSON.stringify(error));
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${data.token}`);
      return request;
    },
  });
}

async function create(title: string): Promise<Room> {
  const { data, error } = await client.POST("/api/v2/live/create", {
    body: { title, anchor: username, mode: 0, im_server: ["aliyun_new"] },
  });
  assert.ok(data, JSON.stringify(error));
  assert.equal(data.title, title);
  assert.equal(data.status, 0);
  assert.match(data.push_url_info?.rtmp_url ?? "", /^rtmp:\/\//);
  return data;
}

async function list(): Promise<Room[]> {
  const { data, error } = await client.POST("/api/v1/live/list", {
    body: { user_id: username, page_num: 1, page_size: 10 },
  });
  assert.ok(data, JSON.stringify(error));
  return data;
}

async function stop(id: string): Promise<Room> {
  const { data, error } = await client.POST("/api/v1/live/stop", { body: { id, user_id: username } });
  assert.ok(data, JSON.stringify(error));
  return data;
}

await logIn();
const room = await create("从 TypeScript 开播");
const rooms = await list();
assert.deepEqual(rooms.map((r) => r.id), [room.id]);
assert.equal(rooms[0]?.title, room.title);
assert.equal((await stop(room.id)).status, 2);

const gone = await client.POST("/api/v1/live/get", { body: { id: "0".repeat(32), user_id: username } });
assert.equal(gone.response.status, 404);
console.log("ok", room.id);
