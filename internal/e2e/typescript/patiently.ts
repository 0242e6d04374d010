/**
 * Sends a request, and again when a busy server asks for that: passwords are
 * hashed with what processors others leave, and there may be none for a while.
 */
export async function patiently(request: Request): Promise<Response> {
  for (;;) {
    const response = await fetch(request.clone());
    const seconds = Number(response.headers.get("Retry-After"));
    if (![429, 503].includes(response.status) || !seconds) return response;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}
