// Answers each frame, over TLS with certificates on both ends.
import { once } from 'node:events';
import { createServer } from 'node:tls';
import { makeCertificates, readCertificates } from './certificates.mjs';
import { frameWriter, readFrames } from './frames.mjs';

export async function open({ folder }) {
  makeCertificates(folder);
  const options = { ...readCertificates(folder, 'server'), requestCert: true, rejectUnauthorized: true };
  const server = createServer({ ...options, minVersion: 'TLSv1.3' }, (socket) => {
    socket.setNoDelay(true);
    const write = frameWriter(socket);
    readFrames(socket, (number, text) => write(number, `Hello ${text}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { settings: { port: server.address().port } };
}
