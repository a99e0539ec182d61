/** The JSON twin of the address that is shown: how a program asks for it, and what it answers now. */
import { useState } from 'preact/hooks';
import { getJson } from '../fetch.ts';
import { announce } from './announce.tsx';
import { Dialog } from './dialog.tsx';

/** Most text of an answer that is laid out: more would hold the page up, and nobody reads it here. */
const most = 200_000;

/** Opens the JSON of `address`, or of the address that is shown. */
export function JsonButton({ address }: { address?: string }) {
  const [shown, show] = useState<{ command: string; link: string; text: string } | undefined>();
  const open = async () => {
    const url = new URL(address ?? location.pathname + location.search, location.origin).href;
    // Within single quotes a shell takes everything as it is but the quote itself.
    const command = `curl -H 'Accept: application/json' '${url.replaceAll("'", "'\\''")}'`;
    const query = new URL(url);
    query.searchParams.set('format', 'json');
    const link = query.href;
    show({ command, link, text: 'reading …' });
    try {
      const text = JSON.stringify(await getJson(url), null, 2);
      show({
        command,
        link,
        text: text.length > most ? `${text.slice(0, most)}\n… and ${text.length - most} more` : text,
      });
    } catch (error) {
      show({ command, link, text: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <>
      <button type="button" class="quiet" onClick={() => void open()} title="The same as JSON, for programs">
        JSON
      </button>
      {shown && (
        <Dialog title="The same address, for programs" close={() => show(undefined)}>
          <div class="command">
            <code>{shown.command}</code>
            <button type="button" onClick={() => void copy(shown.command)}>
              Copy
            </button>
            <a href={shown.link} target="_blank" rel="noreferrer">
              Open
            </a>
          </div>
          <pre class="json" tabIndex={0} aria-label="JSON">
            {shown.text}
          </pre>
        </Dialog>
      )}
    </>
  );
}

/** Copies a text and says so. */
export async function copy(text: string, what = 'Copied'): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    announce(what);
  } catch {
    announce('The browser did not let the page copy');
  }
}
