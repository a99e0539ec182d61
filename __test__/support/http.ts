/** Asking a node, or who looks at a zone, over HTTP. */

/** What came. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** Of a problem. */
  code: string | undefined;
  json: Record<string, unknown>;
}

/** Asks once. */
export async function ask(address: string | undefined, path: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(`http://${address}${path}`, init);
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, text, code: json['code'] as string | undefined, json };
}

/** Asks until the answer is as wanted: the test's own time limit is the end of patience. */
export async function eventually(address: string, path: string, isIt: (answer: Answer) => boolean): Promise<Answer> {
  for (;;) {
    const answer = await ask(address, path);
    if (isIt(answer)) return answer;
    await new Promise(setImmediate);
  }
}
