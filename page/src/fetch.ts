/** The JSON twins of the addresses. */

/** A text for the person where an address could not be read. */
export class Unread extends Error {}

/** Reads the JSON of an address. Rejects with `Unread`, in words for the page, or with what ended `signal`. */
export async function getJson(address: string, signal?: AbortSignal): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(address, { headers: { accept: 'application/json' }, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unread('The server of this page does not answer. Is the zone, or its inlet, still up?');
  }
  const body = (await answer.json().catch(() => undefined)) as { title?: string; detail?: string } | undefined;
  if (answer.ok && body !== undefined) return body;
  throw new Unread(body?.detail ?? body?.title ?? `The server answered ${answer.status} without saying why.`);
}
