// Signed notes and checkpoints as C2SP has them: c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature.
import { createHash } from 'node:crypto'
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js'
import { importJWK } from 'jose'

const text = (value) => Buffer.from(value, 'utf8')
const b64u = (bytes) => Buffer.from(bytes).toString('base64url')
export const sha256 = (...parts) => parts.reduce((h, part) => h.update(part), createHash('sha256')).digest()

function readKey(key) {
  const [name, digits, material] = key.match(/^(.*?)\+(.*?)\+(.*)$/).slice(1)
  const bytes = Buffer.from(material, 'base64')
  const id = sha256(text(`${name}\n`), bytes).subarray(0, 4)
  if (id.toString('hex') !== digits) throw new Error('key id')
  return { name, id, kind: bytes[0], pub: bytes.subarray(1) }
}

async function isRight({ name, kind, pub }, signature, body) {
  const time = signature.subarray(0, 8)
  if (kind === 6) {
    const [origin, size, root] = body.split('\n')
    const number = Buffer.alloc(16)
    number.writeBigUInt64BE(BigInt(size), 8)
    const message = Buffer.concat([text('subtree/v1\n\0'), Buffer.of(text(name).length), text(name), time,
      Buffer.of(text(origin).length), text(origin), number, Buffer.from(root, 'base64')])
    return ml_dsa44.verify(signature.subarray(8), message, pub)
  }
  const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: b64u(pub) }, 'Ed25519')
  const message = kind === 4 ? text(`cosignature/v1\ntime ${time.readBigUInt64BE()}\n${body}`) : text(body)
  return crypto.subtle.verify('Ed25519', key, signature.subarray(kind === 4 ? 8 : 0), message)
}

// The text of a note, and who of `keys` signed it: kind (0x01 Ed25519, 0x04 cosignature, 0x06 ML-DSA-44) and name, in order.
export async function openNote(note, keys) {
  const at = note.lastIndexOf('\n\n')
  if (at < 0 || !note.endsWith('\n')) throw new Error('not a note')
  const body = note.slice(0, at + 1)
  const known = keys.map(readKey)
  const signed = []
  for (const line of note.slice(at + 2).split('\n').filter(Boolean)) {
    const [dash, name, encoded] = line.split(' ')
    if (dash !== '—') throw new Error('not a signature line')
    const signature = Buffer.from(encoded, 'base64')
    for (const key of known.filter((one) => one.name === name && one.id.equals(signature.subarray(0, 4)))) {
      if (!await isRight(key, signature.subarray(4), body)) throw new Error(key.kind === 6 ? 'ml-dsa' : 'ed25519')
      signed.push({ name, kind: key.kind })
    }
  }
  return { body, signed }
}

export async function openCheckpoint(note, keys) {
  const { body, signed } = await openNote(note, keys)
  if (!signed.length) throw new Error('signed by no known key')
  const [origin, size, root, ...rest] = body.split('\n')
  if (!/^(0|[1-9][0-9]*)$/.test(size) || rest.length !== 1 || rest[0]) throw new Error('not a checkpoint')
  return { origin, size: Number(size), root: Buffer.from(root, 'base64'), signed }
}
