// Asks over TLS with certificates on both ends: a number for each request, a table of who waits for which.
import { once } from 'node:events';
import { connect } from 'node:tls';
import { readCertificates } from './certificates.mjs';
import { frameWriter, readFrames } from './frames.mjs';

export async function open({ folder, port }) {
  const socket = connect({ ...readCertificates(folder, 'client'), host: 'localhost', port, minVersion: 'TLSv1.3' });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  const write = frameWriter(socket);
  const waiting = new Map();
  let number = 0;
  readFrames(socket, (answered, text) => {
    const resolve = waiting.get(answered);
    waiting.delete(answered);
    resolve(text);
  });
  const ask = (message) =>
    new Promise((resolve) => {
      number = (number + 1) >>> 0;
      waiting.set(number, resolve);
      write(number, message);
    });
  return { side: { ask } };
}
