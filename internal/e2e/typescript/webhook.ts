// Verifies messages as a receiver of webhooks would: with the public library, from
// the bytes that came and their headers.
//
// usage: node webhook.js < {"messages": [{"body": base64, "headers": {…}}], "secrets": […]}
//
// Prints a line for each message: for each secret "good", or why it is refused, and
// the type of the event.
import { text } from "node:stream/consumers";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import type { components } from "./schema.js";

type Message = components["schemas"]["WebhookMessage"];
type Received = { body: string; headers: Record<string, string> };

const { messages, secrets }: { messages: Received[]; secrets: string[] } = JSON.parse(await text(process.stdin));

function judge(secret: string, m: Received): string {
  try {
    const event = new Webhook(secret).verify(Buffer.from(m.body, "base64"), m.headers) as Message;
    return `good ${event.type} ${event.subject}`;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message;
    throw error;
  }
}

for (const m of messages) console.log(secrets.map((secret) => judge(secret, m)).join("; "));
