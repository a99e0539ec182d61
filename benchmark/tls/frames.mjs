// Hand-made frames over a stream: length, number, text. What one turn writes goes out in one piece.

const HEADER = 8;
/** Most UTF-8 bytes that one UTF-16 unit takes. */
const WIDEST = 3;

/** Calls `onFrame(number, text)` for each frame that arrives; pieces of a long one are put together once. */
export function readFrames(socket, onFrame) {
  let pieces = [];
  let have = 0;
  let need = HEADER;
  socket.on('data', (chunk) => {
    pieces.push(chunk);
    have += chunk.length;
    if (have < need) return;
    let rest = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, have);
    need = HEADER;
    let at = 0;
    while (rest.length - at >= HEADER) {
      const end = at + HEADER + rest.readUInt32LE(at);
      if (rest.length < end) {
        need = end - at;
        break;
      }
      onFrame(rest.readUInt32LE(at + 4), rest.toString('utf8', at + HEADER, end));
      at = end;
    }
    rest = rest.subarray(at);
    pieces = rest.length > 0 ? [rest] : [];
    have = rest.length;
  });
}

/** Gives `write(number, text)`, which writes with what else is written in the same turn. */
export function frameWriter(socket) {
  let buffer = Buffer.allocUnsafe(1 << 16);
  let used = 0;
  const flush = () => {
    socket.write(buffer.subarray(0, used));
    // The socket keeps what it was given until it has gone.
    buffer = buffer.length - used < 1 << 14 ? Buffer.allocUnsafe(1 << 16) : buffer.subarray(used);
    used = 0;
  };
  return (number, text) => {
    const room = HEADER + text.length * WIDEST;
    if (buffer.length - used < room) {
      const larger = Buffer.allocUnsafe(Math.max((used + room) * 2, 1 << 16));
      buffer.copy(larger, 0, 0, used);
      buffer = larger;
    }
    if (used === 0) process.nextTick(flush);
    const length = buffer.utf8Write(text, used + HEADER);
    buffer.writeUInt32LE(length, used);
    buffer.writeUInt32LE(number, used + 4);
    used += HEADER + length;
  };
}
