// The audit log as somebody verifies it who shares no code with the hub.
//
// Reads {op, ...} on standard input and writes what was verified, or {error}.
//   hub:    over HTTP: checkpoint with every signature, tiles, entries, proofs of inclusion and consistency, proof files.
//   export: a folder of `hub audit export`, with the officers' keys alone: tree, signatures, whose keys, what leaves stand for, numbers of feeds.
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { openCheckpoint, sha256 } from './note.mjs'
import { leafHash, rootByInclusion, rootOf, rootsByConsistency } from './tree.mjs'

const check = (right, what) => { if (!right) throw new Error(what) }
const same = (one, two) => Buffer.compare(one, two) === 0
const digest = (bytes) => sha256(bytes).toString('base64url')

function tilePath(number) {
  const parts = [String(number % 1000).padStart(3, '0')]
  for (let rest = Math.floor(number / 1000); rest; rest = Math.floor(rest / 1000)) {
    parts.unshift(`x${String(rest % 1000).padStart(3, '0')}`)
  }
  return parts.join('/')
}

// Every tile of one level over `count` nodes; the last one may be incomplete.
async function readLevel(get, level, count) {
  const hashes = []
  for (let number = 0; number * 256 < count; number++) {
    const width = Math.min(256, count - number * 256)
    const tile = await get(`tile/${level}/${tilePath(number)}${width < 256 ? `.p/${width}` : ''}`)
    check(tile.length === width * 32, 'a tile of another length')
    for (let place = 0; place < width; place++) hashes.push(tile.subarray(place * 32, place * 32 + 32))
  }
  return hashes
}

async function readEntries(get, count) {
  const leaves = []
  for (let number = 0; number * 256 < count; number++) {
    const width = Math.min(256, count - number * 256)
    const tile = await get(`tile/entries/${tilePath(number)}${width < 256 ? `.p/${width}` : ''}`)
    let place = 0
    for (; place < tile.length; place += 2 + tile.readUInt16BE(place)) {
      leaves.push(tile.subarray(place + 2, place + 2 + tile.readUInt16BE(place)))
    }
    check(place === tile.length && leaves.length === number * 256 + width, 'entries of another number')
  }
  return leaves
}

async function hub({ base, keys, token }) {
  const ask = async (path, headers = {}) => {
    const answer = await fetch(`${base}/v1/audit/${path}`, { headers })
    check(answer.status === 200, `${path}: ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }
  const get = (path) => ask(path, token ? { Authorization: `Bearer ${token}` } : {})
  const proofOf = async (path) =>
    JSON.parse(await get(`proof/${path}`)).proof.map((hash) => Buffer.from(hash, 'base64'))

  const { size, root, signed } = await openCheckpoint((await get('checkpoint')).toString(), keys)
  const hashes = await readLevel(get, 0, size)
  check(same(rootOf(hashes), root), 'tiles and checkpoint differ')
  let below = hashes
  let tiles = Math.ceil(size / 256)
  for (let level = 1; below.length >= 256; level++) {
    const nodes = await readLevel(get, level, Math.floor(below.length / 256))
    nodes.forEach((node, place) => check(same(node, rootOf(below.slice(place * 256, place * 256 + 256))), 'a node'))
    tiles += Math.ceil(nodes.length / 256)
    below = nodes
  }
  const leaves = token ? await readEntries(get, size) : []
  leaves.forEach((leaf, index) => check(same(leafHash(leaf), hashes[index]), `entry ${index}`))

  const step = 1 + Math.floor(size / 50)
  let inclusions = 0
  let files = 0
  for (let index = 0; index < size; index += step) {
    const path = await proofOf(`inclusion?index=${index}&size=${size}`)
    check(same(rootByInclusion(hashes[index], index, size, path), root), `inclusion of ${index}`)
    inclusions++
    // The same as a file to keep beside a document, with the checkpoint in it.
    const file = (await ask(`proof/inclusion?index=${index}&size=${size}`, { Accept: 'text/plain' })).toString()
    const [head, place, ...lines] = file.slice(0, file.indexOf('\n\n')).split('\n')
    const kept = await openCheckpoint(file.slice(file.indexOf('\n\n') + 2), keys)
    check(head === 'c2sp.org/tlog-proof@v1' && place === `index ${index}`, 'a proof file')
    const climbed = rootByInclusion(hashes[index], index, kept.size, lines.map((line) => Buffer.from(line, 'base64')))
    check(same(climbed, kept.root), `proof file of ${index}`)
    files++
  }
  let consistencies = 0
  for (let old = 1; old <= size; old += step) {
    const known = rootOf(hashes.slice(0, old))
    const [older, newer] = rootsByConsistency(old, size, await proofOf(`consistency?from=${old}&to=${size}`), known)
    check(same(older, known) && same(newer, root), `consistency from ${old}`)
    consistencies++
  }
  return { size, signed, tiles, leaves: leaves.length, inclusions, files, consistencies }
}

const publicOnly = ({ kty, crv, x }) => ({ kty, crv, x })

// The payload of a compact JWS by one of `keys` ({kid: JWK}), made for `typ`.
async function verifyBy(keys, compact, typ) {
  const { kid } = JSON.parse(Buffer.from(compact.split('.')[0], 'base64url'))
  check(Object.hasOwn(keys, kid), `${typ} by an unknown key`)
  const { payload, protectedHeader } =
    await compactVerify(compact, await importJWK(keys[kid], 'Ed25519'), { algorithms: ['Ed25519'] })
  check(protectedHeader.typ === typ && Object.keys(protectedHeader).length === 3, `${typ} with another header`)
  return JSON.parse(Buffer.from(payload))
}

async function byThumbprint(jwks) {
  const found = {}
  for (const jwk of jwks) found[await calculateJwkThumbprint(publicOnly(jwk))] = publicOnly(jwk)
  return found
}

// Every version of a document that enough officers signed, each by those of the directory before it.
async function readDocuments(folder, kind, officersOf) {
  const versions = []
  for (let number = 1; existsSync(join(folder, `${kind}-${number}.json`)); number++) {
    const signatures = JSON.parse(readFileSync(join(folder, `${kind}-${number}.json`)))
    const payload = signatures[0].split('.')[1]
    let counted = false
    for (const { threshold, keys } of officersOf(versions)) {
      const known = await byThumbprint(keys)
      const signers = new Set()
      for (const compact of signatures.filter((one) => one.split('.')[1] === payload)) {
        try {
          await verifyBy(known, compact, `hub-${kind}+jws`)
          signers.add(JSON.parse(Buffer.from(compact.split('.')[0], 'base64url')).kid)
        } catch { /* by somebody else */ }
      }
      counted ||= signers.size >= threshold
    }
    check(counted, `${kind} ${number} is not signed by enough officers`)
    const bytes = Buffer.from(payload, 'base64url')
    versions.push({ said: JSON.parse(bytes), digest: digest(bytes) })
  }
  return versions
}

// Which leaf stands for which kind of signed object, by its digest.
const STANDS_FOR = {
  'envelope-accepted': 'hub-envelope+jws',
  'receipt-accepted': 'hub-receipt+jws',
  'waiver-recorded': 'hub-waiver+jws',
  'withdrawal-recorded': 'hub-withdrawal+jws',
  'key-published': 'hub-key+jws',
}

async function readEvidence(folder) {
  const found = { byDigest: new Map(), acceptances: new Map() }
  for await (const line of createInterface({ input: createReadStream(join(folder, 'evidence.jsonl')) })) {
    const compact = JSON.parse(line)
    const { typ } = JSON.parse(Buffer.from(compact.split('.')[0], 'base64url'))
    if (typ === 'hub-acceptance+jws') {
      found.acceptances.set(JSON.parse(Buffer.from(compact.split('.')[1], 'base64url')).id, compact)
    } else found.byDigest.set(digest(compact), compact)
  }
  return found
}

// Every number that a feed gave: held against the digest in the log, and against gaps.
function readNumbers(folder) {
  const lines = readFileSync(join(folder, 'feeds.jsonl'), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
  const last = {}
  let chained = Buffer.alloc(0)
  let count = 0
  return {
    tell({ given, digest: said }, index) {
      for (; count < given; count++) {
        check(count < lines.length, `leaf ${index}: more numbers than there are`)
        const [mailbox, number, kind, ref] = lines[count]
        check(number === (last[mailbox] ?? 0) + 1, `number ${number} of ${mailbox}`)
        last[mailbox] = number
        chained = sha256(chained, Buffer.from(`${mailbox} ${number} ${kind} ${ref}\n`))
      }
      check(chained.toString('base64url') === said, `leaf ${index}: other numbers`)
    },
    finish() {
      check(count === lines.length, 'numbers that no leaf tells of')
      return { numbers: count, feeds: Object.keys(last).length }
    },
  }
}

async function readExport({ folder, officers }) {
  const directories = await readDocuments(folder, 'directory', (before) =>
    [before.length ? before[before.length - 1].said.officers : officers])
  await readDocuments(folder, 'agreement', () => [officers, ...directories.map(({ said }) => said.officers)])
  const hubKeys = await byThumbprint(directories.flatMap(({ said }) => said.hub.signing))
  const identities = await byThumbprint(directories.flatMap(({ said }) => said.agencies.map(({ identity }) => identity)))
  const evidence = await readEvidence(folder)
  const numbers = readNumbers(folder)
  const working = {}
  const owner = {}
  const hashes = []
  let signatures = 0
  let index = 0
  for await (const line of createInterface({ input: createReadStream(join(folder, 'leaves.jsonl')) })) {
    hashes.push(leafHash(Buffer.from(line)))
    const leaf = JSON.parse(line)
    if (leaf.event === 'numbers-given') numbers.tell(leaf, index)
    const typ = STANDS_FOR[leaf.event]
    if (typ) {
      const compact = evidence.byDigest.get(leaf.digest)
      check(compact, `leaf ${index}: ${leaf.event} without evidence`)
      const payload = await verifyBy(leaf.event === 'key-published' ? identities : working, compact, typ)
      signatures++
      if (leaf.event === 'key-published') {
        const agency = directories.flatMap(({ said }) => said.agencies).find(({ id }) => id === payload.agency)
        check(agency && leaf.agency === payload.agency, `leaf ${index}: a key of nobody`)
        if (payload.use !== 'seal') {
          Object.assign(working, await byThumbprint([payload.jwk]))
          owner[leaf.kid] = payload.agency
        }
      } else {
        const { kid } = JSON.parse(Buffer.from(compact.split('.')[0], 'base64url'))
        const said = leaf.event === 'envelope-accepted' ? payload.from : payload.mailbox
        check(said === leaf.mailbox && owner[kid] === leaf.agency, `leaf ${index}: of somebody else`)
      }
      if (leaf.event === 'envelope-accepted') {
        const acceptance = await verifyBy(hubKeys, evidence.acceptances.get(leaf.envelope), 'hub-acceptance+jws')
        check(acceptance.index === index && acceptance.header_sha256 === leaf.digest
          && acceptance.sealed_sha256 === payload.sealed.sha256, `leaf ${index}: another acceptance`)
        signatures++
      }
    }
    index++
  }
  const last = directories[directories.length - 1].said
  const { size, root } = await openCheckpoint(readFileSync(join(folder, 'checkpoint.txt'), 'utf8'), last.hub.checkpoint)
  check(size === index && same(rootOf(hashes), root), 'leaves and checkpoint differ')
  return { size, signatures, directories: directories.length, ...numbers.finish() }
}

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { op, ...asked } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
try {
  process.stdout.write(JSON.stringify(await { hub, export: readExport }[op](asked)))
} catch (error) {
  process.stdout.write(JSON.stringify({ error: String(error?.message ?? error) }))
}
