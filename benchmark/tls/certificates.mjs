// Certificates for the run: an authority, a server and a client, made here, so that nothing but Node has to be installed.
//
// X.509 v3 (RFC 5280) written out in DER by hand, as little of it as Node's TLS asks for.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DAY = 86_400_000;

/** A DER value: tag, length, content. */
function der(tag, ...parts) {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts) => der(0x30, ...parts);
const octets = (content) => der(0x04, content);
const bits = (content) => der(0x03, [0], content);
const oid = (...bytes) => der(0x06, bytes);
const integer = (bytes) => der(0x02, bytes);
const time = (moment) => {
  const [date, clock] = new Date(moment).toISOString().slice(2, 19).split('T');
  return der(0x17, Buffer.from(`${date.replaceAll('-', '')}${clock.replaceAll(':', '')}Z`));
};

const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const COMMON_NAME = oid(0x55, 0x04, 0x03);
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const ALTERNATIVE_NAME = oid(0x55, 0x1d, 0x11);
const CRITICAL_TRUE = der(0x01, [0xff]);

const name = (text) => sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(text)))));

/** A certificate for `subject`, signed with the authority's key. */
function certificate(subject, publicKey, authority, isAuthority) {
  const extension = isAuthority
    ? sequence(BASIC_CONSTRAINTS, CRITICAL_TRUE, octets(sequence(CRITICAL_TRUE)))
    : sequence(ALTERNATIVE_NAME, octets(sequence(der(0x82, Buffer.from('localhost')))));
  const body = sequence(
    der(0xa0, integer([2])),
    // Positive and not zero.
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_SHA256,
    name('authority'),
    sequence(time(Date.now() - DAY), time(Date.now() + DAY)),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
  const whole = sequence(body, ECDSA_SHA256, bits(sign('sha256', body, authority)));
  const lines = whole.toString('base64').match(/.{1,64}/g);
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Makes them all, good for a day, in a folder. */
export function makeCertificates(folder) {
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const write = (file, text) => writeFileSync(join(folder, file), text, { mode: 0o600 });
  const authority = pair();
  write('authority.crt', certificate('authority', authority.publicKey, authority.privateKey, true));
  for (const subject of ['server', 'client']) {
    const { publicKey, privateKey } = pair();
    write(`${subject}.crt`, certificate(subject, publicKey, authority.privateKey, false));
    write(`${subject}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  }
}

/** What `node:tls` needs of one of them. */
export function readCertificates(folder, subject) {
  const read = (file) => readFileSync(join(folder, file));
  return { ca: read('authority.crt'), cert: read(`${subject}.crt`), key: read(`${subject}.key`) };
}
