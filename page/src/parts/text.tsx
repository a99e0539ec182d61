/** Text of log lines: pieces with the colours of a terminal. Whatever is in it stays text. */
import { type Piece, pieces } from '../ansi.ts';

const classesOf = (piece: Piece) =>
  [
    typeof piece.colour === 'number' && `ansi-${piece.colour}`,
    typeof piece.ground === 'number' && `ansi-on-${piece.ground}`,
    piece.bold && 'ansi-bold',
    piece.dim && 'ansi-dim',
    piece.italic && 'ansi-italic',
    piece.underline && 'ansi-underline',
    piece.struck && 'ansi-struck',
  ]
    .filter(Boolean)
    .join(' ');

function styleOf({ colour, ground }: Piece): Record<string, string> | undefined {
  if (typeof colour !== 'string' && typeof ground !== 'string') return undefined;
  return {
    ...(typeof colour === 'string' && { color: colour }),
    ...(typeof ground === 'string' && { backgroundColor: ground }),
  };
}

/** A message with its colours. */
export function AnsiText({ text }: { text: string }) {
  const parts = pieces(text);
  if (parts.length === 1 && parts[0] && Object.keys(parts[0]).length === 1) return <>{parts[0].text}</>;
  return (
    <>
      {parts.map((piece, i) => (
        <span key={i} class={classesOf(piece) || undefined} style={styleOf(piece)}>
          {piece.text}
        </span>
      ))}
    </>
  );
}
