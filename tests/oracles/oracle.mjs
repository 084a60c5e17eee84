// What the hub's wire looks like to somebody who shares no code with it.
//
// Reads a JSON array of {op, ...} on standard input and writes an array of {ok, ...} or {error} in the same order.
// Written from the protocol's text with npm's jose, hpke and noble: a second implementation, not a translation.
import { createHash, createHmac, createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import * as HPKE from 'hpke'
import * as noble from '@panva/hpke-noble'
import { CompactSign, calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { openNote } from './note.mjs'

const CHUNK = 16384
const text = (value) => Buffer.from(value, 'utf8')
const b64u = (bytes) => Buffer.from(bytes).toString('base64url')
const raw = (value) => new Uint8Array(Buffer.from(value, 'base64url'))
const sha256 = (...parts) => parts.reduce((h, part) => h.update(part), createHash('sha256')).digest()

// Node 24 has ML-KEM and SHAKE of its own; below that the same suite comes from noble.
const isNative = Number(process.versions.node.split('.')[0]) >= 24
const suite = isNative
  ? new HPKE.CipherSuite(HPKE.KEM_MLKEM768_X25519, HPKE.KDF_SHAKE256, HPKE.AEAD_AES_256_GCM)
  : new HPKE.CipherSuite(noble.KEM_MLKEM768_X25519, noble.KDF_SHAKE256, HPKE.AEAD_AES_256_GCM)

const info = ({ id, from, mailbox, kid }) =>
  new Uint8Array(Buffer.concat([
    text('JOSE-HPKE rcpt'), Buffer.of(0xff), text('C2SP-CE1-A256GCM'), Buffer.of(0xff),
    text(['hub-envelope/1', id, from, mailbox, kid].join('\0')),
  ]))

function derive(key, salt, id) {
  const label = Buffer.concat([text('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM'), Buffer.of(0), salt,
    text(`hub-envelope/1\0${id}`)])
  const first = createHmac('sha512', key).update(label).update(Buffer.of(1)).digest()
  const second = createHmac('sha512', key).update(first).update(label).update(Buffer.of(2)).digest()
  const made = Buffer.concat([first, second])
  return { key: made.subarray(0, 32), base: made.subarray(32, 44), commitment: made.subarray(44, 76) }
}

function nonce(base, number) {
  const made = Buffer.from(base)
  made.writeUInt32BE((made.readUInt32BE(8) ^ number) >>> 0, 8)
  return made
}

function padme(length) {
  const exponent = Math.floor(Math.log2(length))
  const low = exponent - (Math.floor(Math.log2(exponent)) + 1)
  return Math.max(4096, Math.ceil(length / 2 ** low) * 2 ** low)
}

const operations = {
  about: async () => ({ node: process.versions.node, native: isNative }),

  'jws-verify': async ({ jwk, jws, typ }) => {
    const { payload, protectedHeader } = await compactVerify(jws, await importJWK(jwk, 'Ed25519'), { algorithms: ['Ed25519'] })
    if (protectedHeader.typ !== typ || protectedHeader.kid !== await calculateJwkThumbprint(jwk)) throw new Error('header')
    return { payload: b64u(payload), header: protectedHeader }
  },

  'jws-sign': async ({ jwk, payload, header }) =>
    ({ jws: await new CompactSign(raw(payload)).setProtectedHeader(header).sign(await importJWK(jwk, 'Ed25519')) }),

  // jose knows the members of AKP keys only from some version on: RFC 7638 by hand, then.
  thumbprint: async ({ jwk }) => ({
    kid: jwk.kty === 'AKP'
      ? b64u(sha256(JSON.stringify({ alg: jwk.alg, kty: jwk.kty, pub: jwk.pub })))
      : await calculateJwkThumbprint(jwk),
  }),

  wrap: async (it) => {
    const { encapsulatedSecret, ciphertext } =
      await suite.Seal(await suite.DeserializePublicKey(raw(it.pub)), raw(it.key), { info: info(it) })
    return { ek: b64u(encapsulatedSecret), wk: b64u(ciphertext) }
  },

  unwrap: async (it) => ({
    key: b64u(await suite.Open(await suite.DeserializePrivateKey(raw(it.seed)), raw(it.ek), raw(it.wk), { info: info(it) })),
  }),

  seal: async ({ key, id, salt, manifest, documents }) => {
    const parts = [text(manifest), ...documents.map((one) => Buffer.from(one, 'base64url'))]
    const length = Buffer.alloc(4)
    length.writeUInt32BE(parts[0].length)
    const used = Buffer.concat([length, ...parts])
    const plaintext = Buffer.concat([used, Buffer.alloc(padme(used.length) - used.length)])
    const made = derive(raw(key), raw(salt), id)
    const out = [raw(salt), made.commitment]
    for (let number = 0; number * CHUNK <= plaintext.length; number++) {
      const cipher = createCipheriv('aes-256-gcm', made.key, nonce(made.base, number))
      out.push(cipher.update(plaintext.subarray(number * CHUNK, (number + 1) * CHUNK)), cipher.final(), cipher.getAuthTag())
    }
    return { body: b64u(Buffer.concat(out)) }
  },

  open: async ({ key, id, body }) => {
    const bytes = Buffer.from(body, 'base64url')
    const made = derive(raw(key), bytes.subarray(0, 24), id)
    if (!timingSafeEqual(made.commitment, bytes.subarray(24, 56))) throw new Error('commitment')
    const out = []
    let ended = false
    for (let number = 0, at = 56; !ended; number++, at += CHUNK + 16) {
      const chunk = bytes.subarray(at, at + CHUNK + 16)
      ended = chunk.length < CHUNK + 16
      if (chunk.length < 16) throw new Error('truncated')
      const cipher = createDecipheriv('aes-256-gcm', made.key, nonce(made.base, number))
      cipher.setAuthTag(chunk.subarray(chunk.length - 16))
      out.push(cipher.update(chunk.subarray(0, chunk.length - 16)), cipher.final())
    }
    const plaintext = Buffer.concat(out)
    const start = 4 + plaintext.readUInt32BE(0)
    return { manifest: plaintext.subarray(4, start).toString('utf8'), rest: b64u(plaintext.subarray(start)) }
  },

  // Ed25519 (0x01, 0x04) and ML-DSA-44 (0x06) lines of a checkpoint note: the kinds that verified, in order.
  note: async ({ note, keys }) => ({ kinds: (await openNote(note, keys)).signed.map(({ kind }) => kind) }),
}

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const answers = []
for (const { op, ...request } of JSON.parse(Buffer.concat(chunks).toString('utf8'))) {
  try {
    answers.push({ ok: true, ...(await operations[op](request)) })
  } catch (error) {
    answers.push({ ok: false, error: String(error?.message ?? error) })
  }
}
process.stdout.write(JSON.stringify(answers))
